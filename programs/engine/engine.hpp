// Engine: the daemon's main job on one event loop.
//
//   Collector → Analyzer → ExecdClient (first: every millisecond counts) → Outputs
//
// Single-threaded. State (composite rules, first-time-seen keys, counters, read positions) survives
// reload(); the configuration is replaced whole or not at all.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "engine/alert/alert_limit.hpp"
#include "engine/alert/outputs.hpp"
#include "engine/alert/statistics.hpp"
#include "engine/collect/collector.hpp"
#include "engine/names/crawler_resolver.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/respond/execd_client.hpp"
#include "engine/state/file_state_store.hpp"
#include "programs/configuration.hpp"
#include "programs/engine/engine_metrics.hpp"
#include "programs/home.hpp"

namespace portcullis::programs {

struct EngineOptions {
    std::string config_path;  // absolute
    bool debug = false;       // debug messages, whatever internal_options.conf says
    bool from_start = false;  // files that are not in the checkpoint are read from their first line
};

class Engine {
  public:
    static constexpr std::chrono::seconds kStatusPeriod{2};
    static constexpr std::chrono::seconds kRetryPeriod{1};  // of outputs that fail
    // Time from a line until the files with the state of its rules are written.
    static constexpr std::chrono::milliseconds kStateDelay{20};

    // All references must outlive the engine. `configuration`: from load_daemon_configuration().
    Engine(base::EventLoop& loop, base::Log& log, const base::Clock& clock, const Home& home,
           EngineOptions options, std::shared_ptr<const HomeConfiguration> configuration);

    // Begins to follow the files.
    void start();
    // Loads everything anew. If there are mistakes, they are logged and nothing changes.
    void reload();
    // Writes the state that survives: state of rules, read positions and counters.
    void stop();

    std::size_t file_count() const { return collector_.file_count(); }

  private:
    // Writes the results of the lines before the read positions. False = that failed.
    bool write_before_positions();
    // Sets the options of the current configuration.
    void set_analyzer_options();
    // Finds the command of each active-response block of the current configuration.
    void resolve_commands();
    void follow_files();
    void analyze(std::string_view line, std::string_view location);
    void count(const pipeline::Outcome& outcome, base::Timestamp now);
    // `source`: the file that the event was read from.
    void respond(const alert::Alert& alert, std::span<const std::size_t> responses,
                 std::string_view source);
    void retry_outputs_later();
    // Writes the summary of the alerts that the limit left out, at most once a minute.
    void write_alert_summary();
    void write_alert_summary_later();
    void write_state_after(std::chrono::nanoseconds delay);
    void write_status_later();
    void write_status();
    names::CrawlerResolver::Counters crawler_counters() const;
    std::string status_as_json() const;

    base::EventLoop& loop_;
    base::Log& log_;
    const base::Clock& clock_;
    const Home& home_;
    EngineOptions options_;
    std::shared_ptr<const HomeConfiguration> configuration_;
    std::vector<const respond::CommandConfig*> commands_;  // as engine.active_responses
    state::FileStateStore store_;
    std::unique_ptr<names::CrawlerResolver> crawlers_;
    names::CrawlerResolver::Counters ended_crawlers_;  // of resolvers that a reload ended
    pipeline::Analyzer analyzer_;
    respond::ExecdClient execd_;
    alert::Outputs outputs_;
    alert::AlertLimit alert_limit_;
    alert::Statistics statistics_;
    collect::Collector collector_;
    base::EventLoop::Source retry_timer_;
    base::EventLoop::Source state_timer_;
    base::EventLoop::Source status_timer_;
    base::EventLoop::Source summary_timer_;
    base::Timestamp started_;
    std::uint64_t alerts_ = 0;  // the id of the last one
    EngineCounters counters_;
};

}  // namespace portcullis::programs
