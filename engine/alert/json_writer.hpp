// JsonWriter: one JSON object, written member by member in the order of the calls.
//
// For the hot path: nlohmann-json is several times slower, sorts members and throws on bytes that
// are not UTF-8. The result is valid JSON (RFC 8259) for any bytes of a log line: each maximal part
// that is not UTF-8 becomes one U+FFFD (Unicode 15, section 3.9).
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace portcullis::alert {

// Appends `bytes` as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view bytes);

class JsonWriter {
  public:
    JsonWriter() : text_("{") {}

    void member(std::string_view key, std::string_view value) {
        begin(key);
        append_json_string(text_, value);
    }
    void member(std::string_view key, std::integral auto value) {
        begin(key);
        text_ += std::to_string(value);
    }
    // Nothing is written for an empty value.
    void member_unless_empty(std::string_view key, std::string_view value) {
        if (!value.empty()) {
            member(key, value);
        }
    }
    // REQUIRES: `json` is valid JSON.
    void raw_member(std::string_view key, std::string_view json) {
        begin(key);
        text_ += json;
    }

    bool is_empty() const { return text_.size() == 1; }
    // Ends the object. The writer cannot be used afterwards.
    std::string finish() {
        text_ += '}';
        return std::move(text_);
    }

  private:
    void begin(std::string_view key) {
        if (!is_empty()) {
            text_ += ',';
        }
        append_json_string(text_, key);
        text_ += ':';
    }

    std::string text_;
};

}  // namespace portcullis::alert
