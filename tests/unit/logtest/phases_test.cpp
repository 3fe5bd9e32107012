#include "engine/logtest/phases.hpp"

#include <nlohmann/json.hpp>

#include "tests/unit/logtest/logtest_fixture.hpp"

namespace portcullis::logtest {
namespace {

TEST_CASE("phases: JSON is valid and has the same keys whatever the line is") {
    Bench bench;
    for (const std::string_view line : {kDenied, std::string_view("\xff\xfe\x80 \xc0\xaf"),
                                        std::string_view("\"quoted\\ </script>")}) {
        const auto json = nlohmann::json::parse(phases_json(bench.process(line)).dump());
        for (const char* key : {"full_event_fields", "decoder", "fields", "rule", "level",
                                "description", "info", "groups", "alert"}) {
            CAPTURE(key);
            CHECK(json.contains(key));
        }
    }
    const nlohmann::json json = phases_json(Bench().process(kDenied));
    CHECK(json["fields"] == nlohmann::json({{"dstuser", "bob"}, {"srcip", "192.0.2.1"}}));
    CHECK(json["info"] == nlohmann::json::parse(R"([["Text", "ask the guard"]])"));
    CHECK(json["groups"] == nlohmann::json::parse(R"(["gate"])"));
    CHECK(json["alert"] == true);
}

TEST_CASE("phases: an event with a program that no decoder could take has no second heading") {
    Bench bench;
    const auto& outcome = bench.process("Nov 14 18:09:12 host other[1]: text");
    CHECK(phases_text(outcome, nullptr) ==
          "\n\n**Phase 1: Completed pre-decoding.\n"
          "       full event: 'Nov 14 18:09:12 host other[1]: text'\n"
          "       hostname: 'host'\n       program_name: 'other'\n       log: 'text'\n"
          "\n**Phase 2: Completed decoding.\n       No decoder matched.\n"
          "       decoder: '(null)'\n");
    CHECK(phases_text(outcome, nullptr, false) ==
          "\n\n**Phase 1: Completed pre-decoding.\n"
          "       full event: 'Nov 14 18:09:12 host other[1]: text'\n"
          "       hostname: 'host'\n       program_name: 'other'\n       log: 'text'\n"
          "       decoder: '(null)'\n");
}

}  // namespace
}  // namespace portcullis::logtest
