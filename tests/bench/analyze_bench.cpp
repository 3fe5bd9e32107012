// Time per line through the whole Analyzer: the published recipe, the shipped XML and,
// where the conformance data is, OSSEC's stock rules.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/state_store.hpp"
#include "tests/support/allocation_counter.hpp"
#include "tests/support/analysis.hpp"
#include "tests/support/conformance.hpp"

namespace {

using namespace portcullis;

using Sources = std::vector<test::XmlSource>;

void analyse(benchmark::State& state, const Sources& decoders, const Sources& rules,
             const std::vector<std::string>& lines) {
    base::Diagnostics diagnostics;
    const auto configuration = test::make_analysis(decoders, rules, diagnostics);
    if (configuration == nullptr || lines.empty()) {
        state.SkipWithError("nothing to analyse");
        return;
    }
    rules::MemoryStateStore store;
    pipeline::Analyzer analyzer(configuration, {}, store);
    base::Timestamp now{std::chrono::seconds(1'700'000'000)};
    const auto pass = [&] {
        for (const std::string& line : lines) {
            now += std::chrono::milliseconds(10);
            benchmark::DoNotOptimize(analyzer.process(line, "bench", now));
        }
    };
    pass();
    const auto allocations = test::allocation_count();
    for (auto _ : state) {
        pass();
    }
    const double count =
        static_cast<double>(state.iterations()) * static_cast<double>(lines.size());
    state.SetItemsProcessed(static_cast<std::int64_t>(count));
    state.counters["time/line"] =
        benchmark::Counter(count, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.counters["allocations/line"] =
        static_cast<double>(test::allocation_count() - allocations) / count;
}

std::string project_file(const std::string& path) {
    return test::read_file(std::string(PORTCULLIS_SOURCE_DIR "/") + path);
}

std::string conformance_file(const std::string& path) {
    return test::read_file(test::conformance_path(path));
}

std::vector<std::string> published_lines() {
    return test::read_lines(test::conformance_path("published/lines.log"));
}

void BM_published(benchmark::State& state) {
    analyse(state, {{"d", conformance_file("published/decoders.xml")}},
            {{"r", conformance_file("published/rules.xml")}}, published_lines());
}
BENCHMARK(BM_published)->Unit(benchmark::kMicrosecond);

void BM_shipped(benchmark::State& state) {
    analyse(state, {{"d", project_file("decoders/iplog_decoders.xml")}},
            {{"r", project_file("rules/iplog_rules.xml")}}, published_lines());
}
BENCHMARK(BM_shipped)->Unit(benchmark::kMicrosecond);

void BM_stock(benchmark::State& state) {
    Sources rules;
    for (const auto& name : test::read_lines(test::conformance_path("ossec/include-stock.txt"))) {
        if (!name.empty()) {
            rules.push_back({name, conformance_file("ossec/ruleset/rules/" + name)});
        }
    }
    std::vector<std::string> lines;
    for (const auto& text :
         test::read_lines(test::conformance_path("ossec/cases/stock.stream.jsonl"))) {
        lines.push_back(nlohmann::json::parse(text)["log"]);
    }
    analyse(state, {{"d", conformance_file("ossec/ruleset/decoder.xml")}}, rules, lines);
}
BENCHMARK(BM_stock)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
