// The table of everything that ossec.conf may hold: sections, options, what they mean.
//
// The reader of ossec.conf knows no option but through this table, and the tables of
// docs/configuration.md are compared with it by a test. To add an option: a row in options.cpp,
// then `UPDATE_GOLDEN=1 ctest -R config/`.
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
    bool is_read;  // false: belongs to a daemon that Portcullis has not; its options are not looked
                   // at
    // After the last option of the section; nullptr = nothing is to be done.
    void (*finish)(SectionReader& reader, const xml::Node& section);
};

struct Option {
    std::string_view section;
    std::string_view name;
    std::string_view value;          // what may stand in it
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

// The tables as Markdown, as they stand in docs/configuration.md.
std::string options_as_markdown();

}  // namespace portcullis::config
