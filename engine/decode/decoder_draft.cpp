#include "engine/decode/decoder_draft.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.hpp"
#include "base/did_you_mean.hpp"

namespace portcullis::decode {
namespace {

// Longest text of an element, pieces joined (spec: decoders, section 3).
constexpr std::size_t kMaxTextLength = 8191;

struct Reader {
    DecoderDraft& draft;
    base::Diagnostics& diagnostics;

    void add(base::Diagnostic diagnostic, std::string_view element) {
        diagnostics.add(in_context(std::move(diagnostic), draft.context(element)));
    }

    void join(xml::JoinedText& text, const xml::Node& node) {
        text.append(node);
        if (text.text().size() > kMaxTextLength) {
            add(node.error("text-too-long",
                           fmt::format("<{}> has {} bytes in total, more than {}", node.name(),
                                       text.text().size(), kMaxTextLength)),
                node.name());
        }
    }

    // A pattern element that may have the attribute offset, on its first piece only.
    void join_with_offset(PatternText& text, const xml::Node& node) {
        const bool is_first = !text.is_present();
        join(text, node);
        if (node.attributes().empty()) {
            return;
        }
        const auto& attribute = node.attributes().front();
        if (attribute.name != "offset") {
            auto error =
                node.error_in_attribute(attribute, "unknown-attribute",
                                        fmt::format("<{}> has no attribute \"{}\": only offset",
                                                    node.name(), attribute.name));
            error.hint = base::did_you_mean(attribute.name, {"offset"});
            add(std::move(error), node.name());
        } else if (!is_first) {
            add(node.error_in_attribute(
                    attribute, "bad-offset",
                    fmt::format("only the first <{}> of a decoder may have an offset",
                                node.name())),
                node.name());
        } else {
            text.offset_attribute = &attribute;
        }
    }
};

struct ElementReader {
    std::string_view name;
    void (*read)(Reader& reader, const xml::Node& node);
};

void read_type(Reader& reader, const xml::Node& node) {
    const auto type = event::find_event_type(node.text());
    if (type) {
        reader.draft.type = *type;
        return;
    }
    std::vector<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(event::EventType::Ossec); ++i) {
        names.push_back(event::name_of(static_cast<event::EventType>(i)));
    }
    auto error = node.error_in_text(
        "unknown-type", fmt::format("there is no type \"{}\"", node.text()), 0, node.text().size());
    error.hint = base::did_you_mean(node.text(), names);
    if (error.hint.empty()) {
        error.hint = fmt::format("the types are {}", fmt::join(names, ", "));
    }
    reader.add(std::move(error), node.name());
}

// The elements of <decoder>; to add one, add a row.
constexpr std::array kElements{
    ElementReader{"parent", [](Reader& r, const xml::Node& n) { r.join(r.draft.parent, n); }},
    ElementReader{"program_name",
                  [](Reader& r, const xml::Node& n) { r.join(r.draft.program_name, n); }},
    ElementReader{"program_name_pcre2",
                  [](Reader& r, const xml::Node& n) { r.join(r.draft.program_name_pcre2, n); }},
    ElementReader{"prematch",
                  [](Reader& r, const xml::Node& n) { r.join_with_offset(r.draft.prematch, n); }},
    ElementReader{
        "prematch_pcre2",
        [](Reader& r, const xml::Node& n) { r.join_with_offset(r.draft.prematch_pcre2, n); }},
    ElementReader{"regex",
                  [](Reader& r, const xml::Node& n) { r.join_with_offset(r.draft.regex, n); }},
    ElementReader{"pcre2",
                  [](Reader& r, const xml::Node& n) { r.join_with_offset(r.draft.pcre2, n); }},
    ElementReader{"order", [](Reader& r, const xml::Node& n) { r.draft.order = n; }},
    ElementReader{"fts", [](Reader& r, const xml::Node& n) { r.draft.fts = n; }},
    ElementReader{"ftscomment", [](Reader&, const xml::Node&) {}},
    ElementReader{"type", read_type},
    ElementReader{
        "use_own_name",
        [](Reader& r, const xml::Node& n) { r.draft.uses_own_name = n.text() == "true"; }},
    ElementReader{"plugin_decoder", [](Reader& r, const xml::Node& n) { r.draft.plugin = n; }},
    ElementReader{"accumulate", [](Reader& r, const xml::Node&) { r.draft.accumulates = true; }},
};

void report_unknown_element(Reader& reader, const xml::Node& node) {
    std::vector<std::string_view> names;
    names.reserve(kElements.size());
    for (const auto& row : kElements) {
        names.push_back(row.name);
    }
    auto error =
        node.error("unknown-element", fmt::format("a decoder has no element <{}>", node.name()));
    error.hint = base::did_you_mean(node.name(), names);
    reader.add(std::move(error), {});
}

void read_element(Reader& reader, const xml::Node& node) {
    const auto* const row =
        std::find_if(kElements.begin(), kElements.end(), [&](const ElementReader& candidate) {
            // Only the name "type" is case-sensitive.
            return candidate.name == "type"
                       ? node.name() == candidate.name
                       : base::equals_ignoring_case(node.name(), candidate.name);
        });
    if (row == kElements.end()) {
        report_unknown_element(reader, node);
        return;
    }
    row->read(reader, node);
    for (const auto& child : node.children()) {
        reader.add(child.error("unknown-element",
                               fmt::format("<{}> cannot contain elements", node.name())),
                   node.name());
    }
}

void read_name(Reader& reader) {
    const auto& attributes = reader.draft.node.attributes();
    if (attributes.empty() || attributes.front().name != "name" ||
        attributes.front().value.empty()) {
        reader.add(
            reader.draft.node.error("no-name", "a decoder's first attribute must be its name"), {});
        return;
    }
    reader.draft.name = attributes.front().value;
    for (std::size_t i = 1; i < attributes.size(); ++i) {
        reader.add(
            reader.draft.node.error_in_attribute(
                attributes[i], "unknown-attribute",
                fmt::format("a decoder has no attribute \"{}\": only name", attributes[i].name)),
            {});
    }
}

}  // namespace

std::string DecoderDraft::context(std::string_view element) const {
    std::string out = name.empty() ? "decoder" : "decoder " + name;
    if (!element.empty()) {
        out += " > ";
        out += element;
    }
    return out;
}

base::Diagnostic in_context(base::Diagnostic diagnostic, std::string context) {
    diagnostic.context = std::move(context);
    return diagnostic;
}

base::Diagnostic as_warning(base::Diagnostic diagnostic) {
    diagnostic.severity = base::Severity::Warning;
    return diagnostic;
}

std::optional<DecoderDraft> read_decoder(const xml::Node& node, base::Diagnostics& diagnostics) {
    if (!base::equals_ignoring_case(node.name(), "decoder")) {
        auto error =
            node.error("unknown-element",
                       fmt::format("a decoder file has <decoder> elements, not <{}>", node.name()));
        error.hint = base::did_you_mean(node.name(), {"decoder"});
        diagnostics.add(std::move(error));
        return std::nullopt;
    }
    DecoderDraft draft;
    draft.node = node;
    Reader reader{draft, diagnostics};
    read_name(reader);
    if (node.children().empty()) {
        reader.add(node.error("empty-decoder", "the decoder has no elements"), {});
    }
    for (const auto& child : node.children()) {
        read_element(reader, child);
    }
    return draft;
}

}  // namespace portcullis::decode
