// One configuration, and the records of the lines that it analyses, for tests of the logtest stage.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/decode/decoder_set.hpp"
#include "engine/logtest/observed_analyzer.hpp"
#include "engine/rules/rule_set.hpp"
#include "engine/rules/state_store.hpp"
#include "tests/support/analysis.hpp"

namespace portcullis::logtest {

constexpr std::string_view kDecoders =
    R"(<decoder name="gate"><program_name>^gate$</program_name></decoder>
<decoder name="gate-denied"><parent>gate</parent>
  <prematch>^denied </prematch>
  <regex offset="after_prematch">^(\S+) from (\S+)</regex><order>user, srcip</order></decoder>
<decoder name="web"><type>web-log</type><prematch>^GET </prematch>
  <regex offset="after_prematch">^(\S+)</regex><order>url</order></decoder>)";

constexpr std::string_view kRules = R"(<group name="gate,">
  <rule id="100" level="5"><decoded_as>gate</decoded_as><match>denied</match>
    <description>denied</description><info>ask the guard</info></rule>
  <rule id="101" level="9" frequency="1" timeframe="60"><if_matched_sid>100</if_matched_sid>
    <same_source_ip /><description>many</description></rule>
  <rule id="102" level="7"><if_sid>100</if_sid><user>root</user></rule>
  <rule id="103" level="3"><if_sid>100</if_sid><match>denied</match><srcip>10.0.0.0/8</srcip></rule>
  <rule id="104" level="3" noalert="1"><match>burnt</match></rule>
  <rule id="105" level="4"><category>web-log</category><url>^/admin</url></rule>
  <rule id="106" level="6" ignore="60"><match>smoke</match></rule>
  <rule id="107" level="2"><match>smoke and fire</match></rule>
</group>)";

inline std::shared_ptr<const pipeline::AnalyzerConfig> make_configuration(
    std::string_view decoders = kDecoders, std::string_view rules = kRules) {
    base::Diagnostics diagnostics;
    auto made = test::make_analysis({{"d.xml", std::string(decoders)}},
                                    {{"r.xml", std::string(rules)}}, diagnostics);
    INFO(base::render(diagnostics));
    REQUIRE(made != nullptr);
    return made;
}

struct Bench {
    explicit Bench(Coverage* coverage = nullptr)
        : analyzer(make_configuration(), {.local_hostname = "host"}, store,
                   {.rules = true, .decoding = true, .coverage = coverage}) {}

    const pipeline::Outcome& process(std::string_view line) {
        return analyzer.process(line, base::Timestamp(std::chrono::seconds(1'000)));
    }
    const rules::RuleSet& rules() const { return *analyzer.configuration().rules; }

    rules::MemoryStateStore store;
    ObservedAnalyzer analyzer;
    pattern::MatchScratch scratch;
};

inline constexpr std::string_view kDenied =
    "Nov 14 18:09:12 host gate[1]: denied bob from 192.0.2.1";

}  // namespace portcullis::logtest
