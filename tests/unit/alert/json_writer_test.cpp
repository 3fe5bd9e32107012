#include "engine/alert/json_writer.hpp"

#include <nlohmann/json.hpp>
#include <random>

using namespace portcullis::alert;

namespace {

std::string as_json(std::string_view bytes) {
    std::string out;
    append_json_string(out, bytes);
    return out;
}

}  // namespace

TEST_CASE("json_writer: strings are escaped, and bytes that are not UTF-8 are replaced") {
    struct Row {
        std::string bytes;
        const char* json;
    };
    const Row rows[] = {
        {"", R"("")"},
        {"plain /text", R"("plain /text")"},
        {R"(a"b\c)", R"("a\"b\\c")"},
        {"\b\t\n\f\r", R"("\b\t\n\f\r")"},
        {std::string("\0\x01\x1f\x7f", 4), "\"\\u0000\\u0001\\u001f\x7f\""},
        {"ü€\xF0\x9F\x98\x80", "\"ü€\xF0\x9F\x98\x80\""},
        {"a\xff\xfe z", "\"a\xEF\xBF\xBD\xEF\xBF\xBD z\""},
        {"\xC3", "\"\xEF\xBF\xBD\""},                  // cut off
        {"\xC3(", "\"\xEF\xBF\xBD(\""},                // no continuation
        {"\xE2\x82", "\"\xEF\xBF\xBD\""},              // one replacement for the part
        {"\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},  // overlong
        {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},  // surrogate
        {"\xF4\x90\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (const Row& row : rows) {
        INFO(row.json);
        CHECK(as_json(row.bytes) == row.json);
    }
}

TEST_CASE("json_writer: any bytes give JSON that another reader understands the same way") {
    std::mt19937 random(1);
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes(random() % 12, '\0');
        for (char& c : bytes) {
            // Mostly bytes that matter to UTF-8.
            c = static_cast<char>(random() % 3 == 0 ? random() : 0x80 + random() % 0x80);
        }
        // The reference: nlohmann's own replacement of invalid parts.
        const std::string reference =
            nlohmann::json(bytes).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        REQUIRE(nlohmann::json::parse(as_json(bytes)) == nlohmann::json::parse(reference));
    }
}

TEST_CASE("json_writer: members are in the order of the calls") {
    JsonWriter json;
    CHECK(json.is_empty());
    json.member("z", "text");
    json.member("a", -5);
    json.member_unless_empty("none", "");
    json.raw_member("list", "[1,2]");
    CHECK(json.finish() == R"({"z":"text","a":-5,"list":[1,2]})");
    CHECK(JsonWriter().finish() == "{}");
}
