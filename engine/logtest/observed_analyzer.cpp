#include "engine/logtest/observed_analyzer.hpp"

#include <utility>

namespace portcullis::logtest {

ObservedAnalyzer::ObservedAnalyzer(std::shared_ptr<const pipeline::Configuration> configuration,
                                   pipeline::AnalyzerOptions options, rules::StateStore& store,
                                   Observation observation)
    : analyzer_(std::move(configuration), std::move(options), store), observation_(observation) {}

pipeline::Outcome& ObservedAnalyzer::process(std::string_view line, base::Timestamp now,
                                             std::string_view location) {
    const bool covers = observation_.coverage != nullptr;
    decoding_.clear();
    trace_.steps.clear();
    pipeline::Outcome& outcome =
        analyzer_.process(line, location, now, observation_.rules || covers ? &trace_ : nullptr,
                          observation_.decoding || covers ? &decoding_ : nullptr);
    if (covers) {
        observation_.coverage->add(decoding_, trace_);
    }
    return outcome;
}

}  // namespace portcullis::logtest
