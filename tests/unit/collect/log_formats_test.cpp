#include "engine/collect/log_formats.hpp"

using namespace portcullis;
using namespace portcullis::collect;

TEST_CASE("log_formats: every format has help and a reader, and is found by its name alone") {
    for (const LogFormat& format : log_formats()) {
        INFO(format.name);
        CHECK_FALSE(format.help.empty());
        CHECK(format.make_reader() != nullptr);
        CHECK(find_log_format(format.name) == &format);
    }
    CHECK(find_log_format("Syslog") == nullptr);
    CHECK(find_log_format("") == nullptr);
}

TEST_CASE("log_formats: unknown formats are all reported, with the known ones") {
    base::Diagnostics diagnostics;
    check_local_files({{"/var/log/iplog", "syslog", {"ossec.conf", 1, 1}},
                       {"/var/log/a", "telepathy", {"ossec.conf", 2, 5}},
                       {"", "syslog", {"ossec.conf", 3, 5}},
                       {"/var/log/b", "", {"ossec.conf", 4, 5}}},
                      diagnostics);
    REQUIRE(diagnostics.error_count() == 3);
    CHECK(diagnostics.all()[0].code == "unknown-log-format");
    CHECK(diagnostics.all()[0].place.line == 2);
    CHECK(diagnostics.all()[0].hint.find("syslog, generic, snort-fast") != std::string::npos);
    CHECK(diagnostics.all()[1].code == "missing-location");
    CHECK(diagnostics.all()[2].code == "unknown-log-format");
}
