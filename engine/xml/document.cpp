#include "engine/xml/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <iterator>
#include <pugixml.hpp>
#include <utility>

#include "base/ascii.hpp"
#include "base/fd.hpp"
#include "engine/xml/normalizer.hpp"
#include "engine/xml/source_map.hpp"
#include "engine/xml/source_text.hpp"

namespace portcullis::xml {

struct NodeData {
    const DocumentData* document = nullptr;
    std::string name;
    std::string text;
    std::vector<Attribute> attributes;
    std::vector<SourceRange> value_ranges;  // of the attributes
    std::vector<Node> children;
    std::size_t name_begin = 0;   // in the source
    std::size_t text_begin = 0;   // in the source: where the content starts, or would
    std::size_t text_normal = 0;  // in the normalised text, if there is a content
};

class DocumentData {
  public:
    DocumentData(SourceText source_text, SourceMap source_map)
        : source(std::move(source_text)), map(std::move(source_map)) {}

    // Copies what pugixml found; `buffer` is the text that it parsed in place.
    void adopt(const pugi::xml_document& parsed, const char* buffer);

    SourceText source;
    SourceMap map;
    std::vector<Node> roots;

  private:
    Node make_node(const pugi::xml_node& parsed, const char* buffer);

    std::deque<NodeData> nodes_;
};

Node DocumentData::make_node(const pugi::xml_node& parsed, const char* buffer) {
    NodeData& data = nodes_.emplace_back();
    data.document = this;
    data.name = parsed.name();
    const auto name_normal = static_cast<std::size_t>(parsed.name() - buffer);
    data.name_begin = map.source_of(name_normal, data.name.size(), 0, 0).begin;
    for (const auto& attribute : parsed.attributes()) {
        const std::string_view name = attribute.name();
        const std::string_view value = attribute.value();
        const SourceRange name_range = map.source_of(
            static_cast<std::size_t>(attribute.name() - buffer), name.size(), 0, name.size());
        SourceRange value_range{name_range.begin + name.size() + 2, 0};
        if (!value.empty()) {
            value_range = map.source_of(static_cast<std::size_t>(attribute.value() - buffer),
                                        value.size(), 0, value.size());
        }
        data.attributes.push_back({std::string(name), std::string(value),
                                   source.place_of(name_range.begin),
                                   source.place_of(value_range.begin)});
        data.value_ranges.push_back(value_range);
    }
    const pugi::xml_node last = parsed.last_child();
    data.text_begin = data.name_begin;
    if (last && last.type() == pugi::node_pcdata) {
        data.text = last.value();
        data.text_normal = static_cast<std::size_t>(last.value() - buffer);
        data.text_begin = map.source_of(data.text_normal, data.text.size(), 0, 0).begin;
    }
    Node node;
    node.data_ = &data;
    return node;
}

void DocumentData::adopt(const pugi::xml_document& parsed, const char* buffer) {
    // Walked with a list of open elements, not recursively: the file decides the depth.
    struct Level {
        pugi::xml_node next;
        NodeData* parent;
    };
    std::vector<Level> levels{{parsed.first_child(), nullptr}};
    while (!levels.empty()) {
        const pugi::xml_node current = levels.back().next;
        if (!current) {
            levels.pop_back();
            continue;
        }
        levels.back().next = current.next_sibling();
        if (current.type() != pugi::node_element) {
            continue;
        }
        const Node node = make_node(current, buffer);
        NodeData* const data = &nodes_.back();
        NodeData* const parent = levels.back().parent;
        (parent != nullptr ? parent->children : roots).push_back(node);
        levels.push_back({current.first_child(), data});
    }
}

std::string_view Node::name() const { return data_->name; }
std::string_view Node::text() const { return data_->text; }
const std::vector<Attribute>& Node::attributes() const { return data_->attributes; }
const std::vector<Node>& Node::children() const { return data_->children; }

const Attribute* Node::find_attribute(std::string_view name) const {
    const auto is_named = [&](const Attribute& attribute) {
        return base::equals_ignoring_case(attribute.name, name);
    };
    const auto found = std::find_if(data_->attributes.begin(), data_->attributes.end(), is_named);
    return found != data_->attributes.end() ? &*found : nullptr;
}

base::SourcePlace Node::place() const {
    return data_->document->source.place_of(data_->name_begin - 1);
}

base::Diagnostic Node::error(std::string code, std::string message) const {
    return data_->document->source.error(std::move(code), std::move(message), data_->name_begin,
                                         data_->name.size());
}

base::Diagnostic Node::error_in_text(std::string code, std::string message, std::size_t offset,
                                     std::size_t length) const {
    const std::string& text = data_->text;
    if (text.empty()) {
        return error(std::move(code), std::move(message));
    }
    offset = std::min(offset, text.size());
    const std::size_t rest = text.size() - offset;
    length = length == 0 ? rest : std::min(length, rest);
    const SourceRange range =
        data_->document->map.source_of(data_->text_normal, text.size(), offset, length);
    return data_->document->source.error(std::move(code), std::move(message), range.begin,
                                         range.length);
}

base::Diagnostic Node::error_in_attribute(const Attribute& attribute, std::string code,
                                          std::string message) const {
    for (std::size_t i = 0; i < data_->attributes.size(); ++i) {
        if (&data_->attributes[i] == &attribute) {
            const SourceRange& range = data_->value_ranges[i];
            return data_->document->source.error(std::move(code), std::move(message), range.begin,
                                                 range.length);
        }
    }
    return error(std::move(code), std::move(message));
}

const std::vector<Node>& Document::roots() const { return data_->roots; }
const std::string& Document::file() const { return data_->source.file(); }

std::optional<Document> Document::parse(std::string file, std::string_view text,
                                        Variables variables, base::Diagnostics& diagnostics) {
    if (text.size() > kMaxDocument) {
        diagnostics.add(base::make_error(
            "file-too-large",
            fmt::format("the file has {} bytes, the limit is {}", text.size(), kMaxDocument),
            {std::move(file)}));
        return std::nullopt;
    }
    SourceText source(std::move(file), std::string(text));
    auto normalized = normalize(source, variables, diagnostics);
    if (!normalized) {
        return std::nullopt;
    }
    std::string buffer = std::move(normalized->xml);
    pugi::xml_document parsed;
    // Nothing is trimmed or converted but the escapes that the normaliser made.
    const auto result = parsed.load_buffer_inplace(
        buffer.data(), buffer.size(),
        pugi::parse_escapes | pugi::parse_ws_pcdata | pugi::parse_fragment, pugi::encoding_utf8);
    if (!result) {
        const auto range =
            normalized->map.source_of(static_cast<std::size_t>(result.offset), 1, 0, 1);
        diagnostics.add(source.error("malformed-xml", result.description(), range.begin, 1));
        return std::nullopt;
    }
    auto data = std::make_shared<DocumentData>(std::move(source), std::move(normalized->map));
    data->adopt(parsed, buffer.data());
    return Document(std::move(data));
}

std::optional<Document> Document::load(const std::string& path, std::string shown_as,
                                       Variables variables, base::Diagnostics& diagnostics) {
    // parse() reports a file that is too large.
    auto text = base::read_file(path, kMaxDocument + 1);
    if (!text) {
        text.error().place.file = std::move(shown_as);
        diagnostics.add(std::move(text.error()));
        return std::nullopt;
    }
    // An empty file is most likely being written, or a full disk cut it. Loading it would silently
    // end the detection, so it is an error; an author who wants no rules writes a comment.
    if (text->find_first_not_of(" \t\r\n") == std::string::npos) {
        base::Diagnostic diagnostic =
            base::make_error("empty-file", "the file is empty", {std::move(shown_as)});
        diagnostic.hint = "if this is intended, write a comment into it: <!-- none -->";
        diagnostics.add(std::move(diagnostic));
        return std::nullopt;
    }
    return parse(std::move(shown_as), *text, variables, diagnostics);
}

}  // namespace portcullis::xml
