// The numbers that the engine publishes in queue/engine-status.json. To add one: a row in
// engine_metrics.cpp, and in docs/counters.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/metrics.hpp"
#include "engine/alert/alert_limit.hpp"
#include "engine/alert/outputs.hpp"
#include "engine/collect/collector.hpp"
#include "engine/names/crawler_resolver.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/respond/execd_client.hpp"
#include "engine/state/file_state_store.hpp"

namespace portcullis::programs {

// What the engine itself counts.
struct EngineCounters {
    std::uint64_t alerts_written = 0;  // to the files
    std::uint64_t responses_skipped = 0;
    std::uint64_t reloads = 0;
    std::uint64_t failed_reloads = 0;
};

// The parts of a running engine that count something. Valid while they live.
struct EngineNumbers {
    const collect::Collector& collector;
    const pipeline::Counters& lines;
    const state::FileStateStore::Counters state;
    const names::CrawlerResolver::Counters crawlers;
    const alert::AlertLimit& alert_limit;
    const alert::Outputs& outputs;
    const respond::ExecdClient& execd;
    const EngineCounters& engine;
};

using EngineMetric = base::Metric<EngineNumbers>;

std::span<const EngineMetric> engine_metrics();

}  // namespace portcullis::programs
