// ObservedAnalyzer: the Analyzer, and a record of its steps for each line. All lines of logtest and
// of its tests go through here.
//
// Used by one thread. The records of process() are valid until the next line.
#pragma once

#include <memory>
#include <string_view>

#include "base/clock.hpp"
#include "engine/logtest/coverage.hpp"
#include "engine/logtest/decoding_record.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/state_store.hpp"
#include "engine/rules/trace.hpp"

namespace portcullis::logtest {

// The location of a line for which none is given (spec: logtest, section 2).
inline constexpr std::string_view kLocation = "stdin";

struct RecordingOptions {
    bool rules = false;            // trace()
    bool decoding = false;         // decoding()
    Coverage* coverage = nullptr;  // each line is added; must outlive the analyzer
};

class ObservedAnalyzer {
  public:
    // `store` must outlive this.
    ObservedAnalyzer(std::shared_ptr<const pipeline::AnalyzerConfig> configuration,
                     pipeline::AnalyzerOptions options, rules::StateStore& store,
                     RecordingOptions recording);

    // `location` must live as long as the outcome is looked at.
    pipeline::Outcome& process(std::string_view line, base::Timestamp now,
                               std::string_view location = kLocation);
    // Forgets the state that lines share, except the content of the store.
    void reset_state() { analyzer_.reset_state(); }
    rules::Mismatch find_mismatch(const rules::Rule& rule) { return analyzer_.find_mismatch(rule); }

    const pipeline::AnalyzerConfig& configuration() const { return analyzer_.configuration(); }
    const pipeline::Counters& counters() const { return analyzer_.counters(); }
    const rules::Trace& trace() const { return trace_; }
    const DecodingRecord& decoding() const { return decoding_; }

  private:
    pipeline::Analyzer analyzer_;
    RecordingOptions recording_;
    rules::Trace trace_;
    DecodingRecord decoding_;
};

}  // namespace portcullis::logtest
