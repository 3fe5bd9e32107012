// Document: a file in the OSSEC XML dialect (spec: decoders, section 1), with the place of
// everything in it.
//
// The text is normalised to XML 1.0 with a source map and parsed by pugixml. Names, contents and
// attribute values are as the dialect defines them (no entities, `\<` kept, no trimming, several
// roots, comments removed, <var> substituted on request). Immutable; Nodes are cheap handles that
// live as long as their Document.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

namespace portcullis::xml {

struct Attribute {
    std::string name;
    std::string value;
    base::SourcePlace place;        // of the name
    base::SourcePlace value_place;  // of the first character of the value
};

class DocumentData;  // internal
struct NodeData;     // internal

class Node {
  public:
    std::string_view name() const;
    // The content as the dialect has it ("" for an empty element): text after the last child.
    std::string_view text() const;
    const std::vector<Attribute>& attributes() const;
    // nullptr = no such attribute. Names are compared without case.
    const Attribute* find_attribute(std::string_view name) const;
    const std::vector<Node>& children() const;

    // Of the '<' that opens the element.
    base::SourcePlace place() const;

    // An error (or warning) at the element's name, with its line as the snippet.
    base::Diagnostic error(std::string code, std::string message) const;
    // At byte `offset` of text(), `length` bytes underlined.
    base::Diagnostic error_in_text(std::string code, std::string message, std::size_t offset = 0,
                                   std::size_t length = 0) const;
    // At the value of an attribute of this node.
    base::Diagnostic error_in_attribute(const Attribute& attribute, std::string code,
                                        std::string message) const;

  private:
    friend class DocumentData;
    const NodeData* data_ = nullptr;
};

enum class Variables { Substitute, Ignore };  // decoders and rules | ossec.conf

class Document {
  public:
    // nullopt = the text does not parse; `diagnostics` then has every defect that can be
    // distinguished. `file` is used for places only. A <var> element is not among the nodes.
    static std::optional<Document> parse(std::string file, std::string_view text,
                                         Variables variables, base::Diagnostics& diagnostics);
    // Reads `path` and parses it; `shown_as` is the name in diagnostics.
    static std::optional<Document> load(const std::string& path, std::string shown_as,
                                        Variables variables, base::Diagnostics& diagnostics);

    const std::vector<Node>& roots() const;
    const std::string& file() const;

  private:
    explicit Document(std::shared_ptr<const DocumentData> data) : data_(std::move(data)) {}
    std::shared_ptr<const DocumentData> data_;
};

}  // namespace portcullis::xml
