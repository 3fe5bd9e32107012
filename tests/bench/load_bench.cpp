// The cost of loading decoders and rules: time from the files to a configuration, and the memory of
// the process afterwards. "full" and "stock" are OSSEC's own, from the conformance data.
//
//   build/release/bin/load_bench
#include <benchmark/benchmark.h>

#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/analysis.hpp"
#include "tests/support/conformance.hpp"

namespace {

using namespace portcullis;

// Resident memory of this process.
double resident_mib() {
    std::ifstream in("/proc/self/statm");
    double total = 0;
    double resident = 0;
    in >> total >> resident;
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1024.0 * 1024.0);
}

std::shared_ptr<const pipeline::AnalyzerConfig> load(const std::string& decoders,
                                                     const std::vector<std::string>& rules) {
    std::vector<test::XmlSource> rule_files;
    for (const std::string& path : rules) {
        rule_files.push_back({path, test::read_file(path)});
    }
    base::Diagnostics diagnostics;
    return test::make_analysis({{decoders, test::read_file(decoders)}}, rule_files, diagnostics);
}

void run(benchmark::State& state, const std::string& decoders,
         const std::vector<std::string>& rules) {
    auto loaded = load(decoders, rules);
    if (loaded == nullptr || rules.empty()) {
        state.SkipWithError("nothing to load");
        return;
    }
    state.counters["rules"] = static_cast<double>(loaded->rules->rules().size());
    state.counters["RSS_MiB"] = resident_mib();
    for (auto _ : state) {
        loaded.reset();
        loaded = load(decoders, rules);
        benchmark::DoNotOptimize(loaded);
    }
}

void run_ossec(benchmark::State& state, const std::string& list) {
    std::vector<std::string> rules;
    for (const auto& name :
         test::read_lines(test::conformance_path("ossec/include-" + list + ".txt"))) {
        if (!name.empty()) {
            rules.push_back(test::conformance_path("ossec/ruleset/rules/" + name).string());
        }
    }
    run(state, test::conformance_path("ossec/ruleset/decoder.xml").string(), rules);
}

void BM_load_full(benchmark::State& state) { run_ossec(state, "full"); }
void BM_load_stock(benchmark::State& state) { run_ossec(state, "stock"); }
void BM_load_shipped(benchmark::State& state) {
    run(state, PORTCULLIS_SOURCE_DIR "/decoders/iplog_decoders.xml",
        {PORTCULLIS_SOURCE_DIR "/rules/iplog_rules.xml"});
}
// The largest first: otherwise its memory would be hidden by memory that the others have freed.
BENCHMARK(BM_load_full)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_load_stock)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_load_shipped)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
