#include "engine/collect/log_formats.hpp"

using namespace portcullis;
using namespace portcullis::collect;

TEST_CASE("log_formats: every format has help and a reader, and is found by its name alone") {
    for (const LogFormat& format : log_formats()) {
        INFO(format.name);
        CHECK_FALSE(format.help.empty());
        CHECK(format.make_reader({"/service/x/current", 2}) != nullptr);
        CHECK(find_log_format(format.name) == &format);
    }
    CHECK(find_log_format("Syslog") == nullptr);
    CHECK(find_log_format("") == nullptr);
}
