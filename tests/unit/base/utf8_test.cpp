#include "base/utf8.hpp"

using namespace portcullis::base;

TEST_CASE("utf8: only well-formed sequences count, the rest is replaced part by part") {
    struct Row {
        std::string_view bytes;
        std::string_view text;  // as to_utf8 gives it; equal to `bytes` = well-formed
    };
    static constexpr Row kRows[] = {
        {"", ""},
        {"plain ascii text", "plain ascii text"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"\xe9", "\xef\xbf\xbd"},
        {"caf\xe9 x", "caf\xef\xbf\xbd x"},
        {"12345678\x80z", "12345678\xef\xbf\xbdz"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                                  // overlong
        {"\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                  // overlong
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                  // surrogate
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},  // > U+10FFFF
        {"\xf8\x88\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"12345678\xe2\x82", "12345678\xef\xbf\xbd"},  // cut off
        {"\xf0\x9f\x98 x", "\xef\xbf\xbd x"},
    };
    for (const Row& row : kRows) {
        CAPTURE(row.bytes);
        CHECK(is_utf8(row.bytes) == (row.bytes == row.text));
        CHECK(to_utf8(row.bytes) == row.text);
        CHECK(is_utf8(to_utf8(row.bytes)));
    }
}

TEST_CASE("utf8: a byte above 0x7f is found at any position") {
    std::string text = "0123456789abcdef!";
    CHECK(is_ascii(text));
    for (std::size_t at = 0; at < text.size(); ++at) {
        CAPTURE(at);
        const char was = std::exchange(text[at], '\x80');
        CHECK_FALSE(is_ascii(text));
        CHECK_FALSE(is_utf8(text));
        text[at] = was;
    }
}
