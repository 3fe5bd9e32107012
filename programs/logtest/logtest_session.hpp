// LogtestSession: sends the lines of one input through the Analyzer and prints the result of each.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "engine/logtest/coverage.hpp"
#include "engine/logtest/observed_analyzer.hpp"
#include "engine/state/file_state_store.hpp"
#include "programs/configuration.hpp"
#include "programs/logtest/logtest_options.hpp"
#include "programs/logtest/terminal.hpp"

namespace portcullis::programs {

class LogtestSession {
  public:
    // A longer line is analysed in pieces, a shorter one than the minimum is skipped (spec:
    // logtest, section 2).
    static constexpr std::size_t kMaxLine = 6135;
    static constexpr std::size_t kMinLine = 2;

    // `options` must outlive the session. `why_not`: the rule of --why-not, of this configuration.
    LogtestSession(const LogtestOptions& options,
                   const std::shared_ptr<const HomeConfiguration>& configuration,
                   const rules::Rule* why_not);

    // Reads standard input to its end: as bytes, or with a line editor if it is a terminal. Returns
    // the exit status.
    int run();

  private:
    void read_bytes();
    void read_terminal();
    // Moves text from `chunk` to the line that is being read, up to its end; analyses what is
    // whole.
    void take(std::string_view& chunk);
    void analyse(std::string_view line);
    void judge(const pipeline::Outcome& outcome);
    std::string text_of(const pipeline::Outcome& outcome);
    std::string json_of(const pipeline::Outcome& outcome);
    void print_coverage();

    const LogtestOptions& options_;
    std::shared_ptr<const HomeConfiguration> configuration_;
    const rules::Rule* why_not_;
    TerminalText text_;     // OSSEC's text: standard error
    TerminalText records_;  // alerts, JSON: standard output
    base::SystemClock clock_;
    state::FileStateStore store_;  // the engine's state is read, and never written
    std::optional<logtest::Coverage> coverage_;
    logtest::ObservedAnalyzer analyzer_;
    pattern::MatchScratch scratch_;
    std::string line_;
    bool has_begun_ = false;  // a line was analysed or skipped
    std::uint64_t alert_count_ = 0;
    int status_ = 0;
    bool is_over_ = false;
};

}  // namespace portcullis::programs
