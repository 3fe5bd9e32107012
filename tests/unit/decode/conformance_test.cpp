#include <map>

#include "engine/decode/decoder_loader.hpp"
#include "engine/decode/predecode.hpp"
#include "tests/support/conformance.hpp"

using namespace portcullis;
using nlohmann::json;

namespace {

constexpr std::string_view kHost = "oraclehost";

// What OSSEC's logtest prints; it prints none of the fields that plugin decoders set.
const std::vector<std::string> kPluginDecoders{"pf", "sonicwall", "symantec-websecurity",
                                               "ossec-alert"};

json text_or_null(const std::optional<std::string_view>& text) {
    return text ? json(std::string(*text)) : json();
}

std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

TEST_CASE("predecode: agrees with OSSEC 4.3 on every recorded line") {
    SKIP_WITHOUT_CONFORMANCE_DATA();
    const auto cases = test::read_ossec_cases("stock.isolated.jsonl");
    REQUIRE(cases.size() > 1000);
    event::Event event;
    int wrong = 0;
    for (const auto& recorded : cases) {
        event.reset(recorded.at("log").get_ref<const std::string&>(), "stdin", {});
        decode::predecode(event, kHost);
        const json ours{{"full_event", event.full_log},
                        {"hostname", text_or_null(event.hostname)},
                        {"program_name", text_or_null(event.program_name)},
                        {"log", std::string(event.log)}};
        if (ours != recorded.at("full_event_fields")) {
            ++wrong;
            UNSCOPED_INFO(dump(recorded.at("full_event_fields")) << "\n  ours: " << dump(ours));
        }
    }
    INFO(wrong << " of " << cases.size() << " lines differ");
    CHECK(wrong == 0);
}

TEST_CASE("decode: agrees with OSSEC 4.3 on every recorded line") {
    SKIP_WITHOUT_CONFORMANCE_DATA();
    const auto cases = test::read_ossec_cases("stock.isolated.jsonl");
    REQUIRE(cases.size() > 1000);
    base::Diagnostics diagnostics;
    const auto document =
        xml::Document::load(test::conformance_path("ossec/ruleset/decoder.xml").string(),
                            "decoder.xml", xml::Variables::Substitute, diagnostics);
    REQUIRE(document);
    const auto set = decode::load_decoders({*document}, diagnostics);
    INFO(base::render(diagnostics));
    REQUIRE(set);

    for (const bool jit : {true, false}) {
        pattern::MatchScratch scratch;
        scratch.set_jit(jit);
        event::Event event;
        int wrong = 0;
        for (const auto& recorded : cases) {
            event.reset(recorded.at("log").get_ref<const std::string&>(), "stdin", {});
            decode::predecode(event, kHost);
            set->decode(event, scratch);
            json fields = json::object();
            for (const auto& field : event.decoded()) {
                fields[std::string(field.label)] = std::string(field.value);
            }
            const json decoder =
                event.decoder_id == 0 ? json() : json(std::string(event.decoder_name));
            const bool is_plugin = std::find(kPluginDecoders.begin(), kPluginDecoders.end(),
                                             event.decoder_name) != kPluginDecoders.end();
            if (decoder != recorded.at("decoder") ||
                (!is_plugin && fields != recorded.at("fields"))) {
                ++wrong;
                UNSCOPED_INFO(dump(recorded.at("log"))
                              << "\n  OSSEC: " << dump(recorded.at("decoder")) << ' '
                              << dump(recorded.at("fields")) << "\n  ours:  " << dump(decoder)
                              << ' ' << dump(fields));
            }
        }
        INFO(wrong << " of " << cases.size() << " lines differ, JIT " << jit);
        CHECK(wrong == 0);
        CHECK(scratch.limit_hits() == 0);
    }
}
