// DecoderDraft: a <decoder> element as it was written, before anything is compiled or linked.
//
// The first step of loading: the table of elements stands in decoder_draft.cpp. Internal to this
// folder; drafts point into the xml::Document.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/decode/decoder.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::decode {

// The contents of one or several elements of the same name, joined without a separator: that is
// how long patterns are split.
class JoinedText {
  public:
    void append(const xml::Node& node) {
        pieces_.push_back({text_.size(), node});
        text_ += node.text();
    }
    // The attribute offset, on the first piece; nullptr = none.
    const xml::Attribute* offset_attribute = nullptr;

    bool is_present() const { return !pieces_.empty(); }
    const std::string& text() const { return text_; }
    const xml::Node& first() const { return pieces_.front().node; }
    // An error at byte `offset` of text(), in the element that it came from.
    base::Diagnostic error(std::string code, std::string message, std::size_t offset = 0,
                           std::size_t length = 0) const;

  private:
    struct Piece {
        std::size_t start;
        xml::Node node;
    };
    std::string text_;
    std::vector<Piece> pieces_;
};

struct DecoderDraft {
    xml::Node node;
    std::string name;  // empty = it has none (an error was reported)

    JoinedText parent;
    JoinedText program_name;
    JoinedText program_name_pcre2;
    JoinedText prematch;
    JoinedText prematch_pcre2;
    JoinedText regex;
    JoinedText pcre2;

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

// Reads one root element of a decoder file; what is wrong with its form is added to `diagnostics`.
// nullopt: it is no decoder at all.
std::optional<DecoderDraft> read_decoder(const xml::Node& node, base::Diagnostics& diagnostics);

base::Diagnostic in_context(base::Diagnostic diagnostic, std::string context);
base::Diagnostic as_warning(base::Diagnostic diagnostic);

}  // namespace portcullis::decode
