// VariableTable: the <var> definitions of one file and the substitution of `$NAME`
// (spec: decoders, section 1.1; docs/ossec-xml-dialect.md).
//
//   reference = "$" name ; name = every byte up to "$" "." "|" "," " " or the end of the text
//
// Names compare without case, values are inserted raw and never scanned again, a `$` without a
// name stays, and a text of one or two bytes is never scanned.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace portcullis::xml {

inline constexpr std::size_t kMaxVariableName = 255;

class VariableTable {
  public:
    // False = the name is defined already; the first definition counts.
    bool define(std::string_view name, std::string value);
    std::size_t size() const { return names_.size(); }
    // In order of definition, as written.
    std::vector<std::string_view> names() const;
    // nullptr: not among the first `known` definitions.
    const std::string* find(std::string_view name, std::size_t known) const;

  private:
    struct Entry {
        std::size_t index;
        std::string value;
    };
    std::unordered_map<std::string, Entry> entries_;  // by name in lower case
    std::vector<std::string> names_;
};

// One `$NAME` in a text.
struct VariableReference {
    std::size_t begin = 0;  // of the '$'
    std::string_view name;  // not empty
};

// All references of `text` from left to right; none in a text of one or two bytes.
std::vector<VariableReference> find_references(std::string_view text);

}  // namespace portcullis::xml
