#include "base/ascii.hpp"

using namespace portcullis::base;

TEST_CASE(
    "ascii: each byte is in the classes of the C locale, and bytes beyond ASCII are in none") {
    for (int i = 0; i < 256; ++i) {
        CAPTURE(i);
        const char c = static_cast<char>(i);
        const bool is_low = i >= 'a' && i <= 'z';
        const bool is_up = i >= 'A' && i <= 'Z';
        const bool is_number = i >= '0' && i <= '9';
        CHECK(is_lower(c) == is_low);
        CHECK(is_upper(c) == is_up);
        CHECK(is_digit(c) == is_number);
        CHECK(is_letter(c) == (is_low || is_up));
        CHECK(is_alphanumeric(c) == (is_low || is_up || is_number));
        CHECK(is_hex_digit(c) ==
              (std::string_view("0123456789abcdefABCDEF").find(c) != std::string_view::npos));
        CHECK(is_control(c) == (i < 0x20 || i == 0x7f));
        CHECK(lower(c) == (is_up ? static_cast<char>(i + 32) : c));
    }
}

TEST_CASE("ascii: texts are compared without case, byte for byte beyond ASCII") {
    CHECK(lower("Sshd[7]: \xc3\x84") == "sshd[7]: \xc3\x84");
    CHECK(equals_ignoring_case("SrcIP", "srcip"));
    CHECK_FALSE(equals_ignoring_case("srcip", "srcip2"));
    CHECK_FALSE(equals_ignoring_case("\xc3\x84", "\xc3\xa4"));
    CHECK(contains_ignoring_case("the LOCAL host", "local"));
    CHECK(contains_ignoring_case("x", ""));
    CHECK_FALSE(contains_ignoring_case("loca", "local"));
}
