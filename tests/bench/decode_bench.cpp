// Time and allocations of pre-decoding and decoding, for each line. With the conformance data
// present: OSSEC's stock decoders on its recorded lines; always: the shipped decoders on iplog's.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "engine/decode/decoder_loader.hpp"
#include "engine/decode/predecode.hpp"
#include "tests/support/allocation_counter.hpp"
#include "tests/support/conformance.hpp"

using namespace portcullis;

namespace {

std::optional<decode::DecoderSet> load(const std::string& path) {
    base::Diagnostics diagnostics;
    const auto document = xml::Document::load(path, path, xml::Variables::Substitute, diagnostics);
    return document ? decode::load_decoders({*document}, diagnostics) : std::nullopt;
}

std::vector<std::string> recorded_lines() {
    std::vector<std::string> lines;
    for (const auto& recorded : test::read_ossec_cases("stock.isolated.jsonl")) {
        lines.push_back(recorded.at("log"));
    }
    return lines;
}

const std::vector<std::string> kIplogLines{
    "Nov 14 18:09:12 TCP: SYN scan detected [ports 21,1] from 10.10.150.1 [ports 34333,1]",
    "Nov 14 18:09:08 TCP: domain connection attempt from 10.10.150.1:51239",
    "Nov 14 18:09:08 UDP: dgram to port 161 from 10.10.150.1:51239 (40 data bytes)",
    "Nov 14 18:09:08 ICMP: echo from 10.10.150.1 (64 bytes)",
    "Nov 14 18:10:08 TCP: port scan mode expired for 10.10.150.1 - received a total of 3308 "
    "packets (132320 bytes).",
};

void run(benchmark::State& state, const std::string& decoders,
         const std::vector<std::string>& lines) {
    const auto set = load(decoders);
    if (!set || lines.empty()) {
        state.SkipWithError("no data");
        return;
    }
    event::Event event;
    pattern::MatchScratch scratch;
    const auto decode_all = [&] {
        for (const auto& line : lines) {
            event.reset(line, "stdin", {});
            decode::predecode(event, "local");
            set->decode(event, scratch);
            benchmark::DoNotOptimize(event.decoder_id);
        }
    };
    decode_all();  // buffers reach their size
    const auto before = test::allocation_count();
    for (auto _ : state) {
        decode_all();
    }
    const auto count = static_cast<double>(state.iterations()) * static_cast<double>(lines.size());
    state.counters["allocs/line"] = static_cast<double>(test::allocation_count() - before) / count;
    state.SetItemsProcessed(static_cast<std::int64_t>(count));
}

void BM_decode_stock(benchmark::State& state) {
    run(state, test::conformance_path("ossec/ruleset/decoder.xml").string(), recorded_lines());
}

void BM_decode_iplog(benchmark::State& state) {
    run(state, PORTCULLIS_SOURCE_DIR "/decoders/iplog_decoders.xml", kIplogLines);
}

BENCHMARK(BM_decode_stock);
BENCHMARK(BM_decode_iplog);

}  // namespace

BENCHMARK_MAIN();
