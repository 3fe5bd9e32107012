#include "engine/logtest/observed_analyzer.hpp"

#include <utility>

namespace portcullis::logtest {

ObservedAnalyzer::ObservedAnalyzer(std::shared_ptr<const pipeline::AnalyzerConfig> configuration,
                                   pipeline::AnalyzerOptions options, rules::StateStore& store,
                                   RecordingOptions recording)
    : analyzer_(std::move(configuration), std::move(options), store), recording_(recording) {}

pipeline::Outcome& ObservedAnalyzer::process(std::string_view line, base::Timestamp now,
                                             std::string_view location) {
    const bool covers = recording_.coverage != nullptr;
    decoding_.clear();
    trace_.steps.clear();
    pipeline::Outcome& outcome =
        analyzer_.process(line, location, now, recording_.rules || covers ? &trace_ : nullptr,
                          recording_.decoding || covers ? &decoding_ : nullptr);
    if (covers) {
        recording_.coverage->add(decoding_, trace_);
    }
    return outcome;
}

}  // namespace portcullis::logtest
