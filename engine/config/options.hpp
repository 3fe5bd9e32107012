// The table of all sections and options of ossec.conf, with their meaning.
//
// The reader of ossec.conf takes all options from this table, and a test compares the tables of
// docs/configuration.md with it. To add an option: a row in options.cpp, then `UPDATE_GOLDEN=1
// ctest -R config/`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/config/section_reader.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::config {

struct Section {
    std::string_view name;
    std::string_view help;
    bool is_read;  // false: of a daemon that Portcullis does not have; its options are not checked
    // Called after the last option of the section; nullptr = nothing to do.
    void (*finish)(SectionReader& reader, const xml::Node& section);
};

struct Option {
    std::string_view section;
    std::string_view name;
    std::string_view value;          // the allowed values
    std::string_view default_value;  // "" = none
    std::string_view help;
    void (*set)(SectionReader& reader, const xml::Node& option);
    std::string_view attribute = {};  // the one that it may have; "" = none
};

std::span<const Section> sections();
// Grouped by section, in the order of sections().
std::span<const Option> options();

// nullptr = unknown.
const Section* find_section(std::string_view name);
const Option* find_option(std::string_view section, std::string_view name);

// The tables, and that of the log formats, as Markdown, for docs/configuration.md.
std::string options_as_markdown();

}  // namespace portcullis::config
