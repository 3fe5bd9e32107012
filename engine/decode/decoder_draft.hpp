// DecoderDraft: a <decoder> element as it was written, before anything is compiled or linked.
//
// The first step of loading. The table of elements is in decoder_draft.cpp. Internal to this
// folder; drafts point into the xml::Document.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/decode/decoder.hpp"
#include "engine/xml/document.hpp"
#include "engine/xml/joined_text.hpp"

namespace portcullis::decode {

// The text of a pattern element.
struct PatternText : xml::JoinedText {
    // The attribute offset, on the first piece; nullptr = none.
    const xml::Attribute* offset_attribute = nullptr;
};

struct DecoderDraft {
    xml::Node node;
    std::string name;  // empty = it has none (an error was reported)

    xml::JoinedText parent;
    PatternText program_name;
    PatternText program_name_pcre2;
    PatternText prematch;
    PatternText prematch_pcre2;
    PatternText regex;
    PatternText pcre2;

    std::optional<xml::Node> order;
    std::optional<xml::Node> fts;
    std::optional<xml::Node> plugin;
    event::EventType type = event::EventType::Syslog;
    bool uses_own_name = false;
    bool accumulates = false;

    bool has_program_name() const {
        return program_name.is_present() || program_name_pcre2.is_present();
    }
    bool has_prematch() const { return prematch.is_present() || prematch_pcre2.is_present(); }
    bool has_regex() const { return regex.is_present() || pcre2.is_present(); }
    bool is_child() const { return parent.is_present(); }

    // "decoder iplog-scan > regex"
    std::string context(std::string_view element = {}) const;
};

// Reads one root element of a decoder file, and adds errors of its form to `diagnostics`. nullopt =
// the element is not a decoder.
std::optional<DecoderDraft> read_decoder(const xml::Node& node, base::Diagnostics& diagnostics);

base::Diagnostic in_context(base::Diagnostic diagnostic, std::string context);
base::Diagnostic as_warning(base::Diagnostic diagnostic);

}  // namespace portcullis::decode
