#include "programs/engine/engine.hpp"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/fd.hpp"
#include "engine/respond/request.hpp"
#include "engine/rules/rule.hpp"
#include "programs/analysis_options.hpp"
#include "programs/daemon_configuration.hpp"

namespace portcullis::programs {
namespace {

alert::UnusualHour unusual_hour(const config::EngineConfig& engine) {
    return {engine.stats > 0, engine.internal.stats_maxdiff, engine.internal.stats_mindiff,
            engine.internal.stats_percent_diff};
}

alert::OutputOptions output_options(const config::EngineConfig& engine) {
    alert::OutputOptions options = engine.outputs;
    options.firewall = engine.internal.log_fw != 0;
    return options;
}

collect::CollectorOptions collector_options(const Home& home, const EngineOptions& options,
                                            std::function<bool()> before_checkpoint) {
    collect::CollectorOptions collector;
    collector.first_start =
        options.from_start ? collect::StartAt::Beginning : collect::StartAt::End;
    collector.checkpoint_path = home.resolve("queue/checkpoint.json");
    collector.before_checkpoint = std::move(before_checkpoint);
    return collector;
}

}  // namespace

Engine::Engine(base::EventLoop& loop, base::Log& log, const base::Clock& clock, const Home& home,
               EngineOptions options, std::shared_ptr<const HomeConfiguration> configuration)
    : loop_(loop),
      log_(log),
      clock_(clock),
      home_(home),
      options_(std::move(options)),
      configuration_(std::move(configuration)),
      store_(home.queue()),
      analyzer_(HomeConfiguration::analysis_of(configuration_),
                analysis_options(configuration_->engine, Behaviour::Live), store_),
      execd_(loop, log, home.execd_socket()),
      outputs_(home.resolve("logs"), output_options(configuration_->engine), log, clock),
      statistics_(home.resolve("stats"), unusual_hour(configuration_->engine), log),
      collector_(
          loop, log, clock,
          collector_options(home, options_, [this] { return write_before_positions(); }),
          [this](std::string_view line, std::string_view location) { analyze(line, location); }),
      retry_timer_(base::EventLoop::no_source()),
      state_timer_(base::EventLoop::no_source()),
      status_timer_(base::EventLoop::no_source()),
      summary_timer_(base::EventLoop::no_source()),
      started_(clock.now()) {
    log_.set_debug(options_.debug || configuration_->engine.internal.debug > 0);
    alert_limit_.set_limit(configuration_->engine.forgeable_alerts_per_minute);
    set_analyzer_options();
    resolve_commands();
}

void Engine::start() {
    base::Diagnostics diagnostics;
    store_.load(diagnostics);
    if (!diagnostics.all().empty()) {
        log_.warning(base::render(diagnostics));
    }
    follow_files();
    write_status();
}

void Engine::reload() {
    base::Diagnostics diagnostics;
    auto loaded = load_daemon_configuration(home_, options_.config_path, diagnostics);
    if (!diagnostics.all().empty()) {
        log_.write(loaded ? base::LogLevel::Warning : base::LogLevel::Error,
                   base::render(diagnostics));
    }
    if (!loaded) {
        ++counters_.failed_reloads;
        log_.error("the configuration was not reloaded: the old one stays active");
        write_status();
        return;
    }
    analyzer_.replace(HomeConfiguration::analysis_of(loaded));
    configuration_ = std::move(loaded);
    const config::EngineConfig& engine = configuration_->engine;
    set_analyzer_options();
    alert_limit_.set_limit(engine.forgeable_alerts_per_minute);
    statistics_.set_unusual(unusual_hour(engine));
    log_.set_debug(options_.debug || engine.internal.debug > 0);
    resolve_commands();
    outputs_.set_options(output_options(configuration_->engine));
    retry_outputs_later();
    ++counters_.reloads;
    follow_files();
    log_.info("the configuration was reloaded; " + std::to_string(file_count()) +
              " files are followed");
    write_status();
}

void Engine::stop() {
    static_cast<void>(store_.sync(log_));  // it logs what fails
    write_alert_summary();
    collector_.save_positions();
    if (outputs_.has_held_back()) {
        log_.error(
            "some records could not be written; their lines are read again at the next start");
    }
    statistics_.save();
    write_status();
}

// A restart from the positions then has all results of the lines before them. A state file that
// cannot be written costs at most a repeated alert, so it does not stop this; a record would be
// lost for ever.
bool Engine::write_before_positions() {
    static_cast<void>(store_.flush_keys(log_));
    return !outputs_.has_held_back() || outputs_.retry();
}

void Engine::set_analyzer_options() {
    const config::EngineConfig& engine = configuration_->engine;
    auto options = analysis_options(engine, Behaviour::Live);
    if (engine.verify_crawlers && !crawlers_) {
        auto started = names::CrawlerResolver::start(loop_, {});
        if (started) {
            crawlers_ = std::move(*started);
        } else {
            log_.warning(started.error().message +
                         "; is_valid_crawler only knows the built-in networks");
        }
    }
    options.crawler_names = engine.verify_crawlers ? crawlers_.get() : nullptr;
    analyzer_.set_options(std::move(options));
    if (!engine.verify_crawlers) {
        ended_crawlers_ = crawler_counters();
        crawlers_.reset();
    }
}

void Engine::resolve_commands() {
    commands_.clear();
    const config::EngineConfig& engine = configuration_->engine;
    for (const respond::ActiveResponseConfig& response : engine.active_responses) {
        const auto command =
            std::find_if(engine.commands.begin(), engine.commands.end(),
                         [&](const auto& each) { return each.name == response.command; });
        commands_.push_back(command == engine.commands.end() ? nullptr : &*command);
    }
}

void Engine::follow_files() {
    auto files = configuration_->engine.local_files;
    for (collect::LocalFileConfig& file : files) {
        file.location = home_.resolve(file.location);
    }
    collector_.set_files(std::move(files));
}

void Engine::analyze(std::string_view line, std::string_view location) {
    const base::Timestamp now = clock_.now();
    pipeline::Outcome& outcome = analyzer_.process(line, location, now);
    const alert::Alert* logged = nullptr;
    alert::Alert alert;
    if (outcome.alert) {
        alert = std::move(*outcome.alert);
        alert.id = ++alerts_;
        respond(alert, outcome.responses, location);
        if (alert.log && alert_limit_.admit_and_count(alert)) {
            outputs_.write(alert);
            ++counters_.alerts_written;
        }
        write_alert_summary_later();
        logged = &alert;
    }
    if (!outcome.dropped) {
        if (outcome.event->type == event::EventType::Firewall) {
            outputs_.firewall(*outcome.event);
        }
        outputs_.archive(*outcome.event, logged);
        count(outcome, now);
    }
    retry_outputs_later();
    write_state_after(kStateDelay);
    write_status_later();
}

void Engine::count(const pipeline::Outcome& outcome, base::Timestamp now) {
    alert::Statistics::Counted counted;
    if (outcome.rule != nullptr) {
        counted.rule = outcome.rule->id;
        counted.level = outcome.rule->level;
    }
    counted.is_alert = outcome.alert.has_value();
    counted.is_firewall = outcome.event->type == event::EventType::Firewall;
    const auto excess = statistics_.count(counted, now);
    if (!excess) {
        return;
    }
    const config::EngineConfig& engine = configuration_->engine;
    alert::Alert alert = alert::excess_alert(*excess, engine.stats, local_hostname(), now);
    alert.mail = engine.stats >= engine.email_alert_level;
    alert.id = ++alerts_;
    if (engine.stats >= engine.log_alert_level) {
        outputs_.write(alert);
        ++counters_.alerts_written;
    }
}

void Engine::respond(const alert::Alert& alert, std::span<const std::size_t> responses,
                     std::string_view source) {
    for (const std::size_t index : responses) {
        const respond::CommandConfig* command = commands_[index];
        if (command == nullptr) {
            continue;
        }
        const auto request = respond::make_request(
            alert, configuration_->engine.active_responses[index], *command, source);
        if (request) {
            execd_.send(*request);
            continue;
        }
        ++counters_.responses_skipped;
        const std::string why = "alert " + alert.name() + " of rule " +
                                std::to_string(alert.rule.id) + ": no " + command->name + ": " +
                                request.error().message;
        // Crafted text is an attack; the other reasons occur with every event without the field.
        log_.write(request.error().code == "crafted-field" ? base::LogLevel::Warning
                                                           : base::LogLevel::Debug,
                   why);
    }
}

void Engine::write_alert_summary() {
    auto summary = alert_limit_.take_summary(local_hostname(), clock_.now());
    if (summary) {
        summary->mail = summary->rule.level >= configuration_->engine.email_alert_level;
        summary->id = ++alerts_;
        // Independent of <log_alert_level>: alerts of a higher level may be among those left out.
        outputs_.write(*summary);
        ++counters_.alerts_written;
    }
}

void Engine::write_alert_summary_later() {
    const auto due = alert_limit_.summary_time();
    if (!summary_timer_ && due) {
        const auto pause = std::clamp<base::Timestamp::duration>(
            *due - clock_.now(), base::Timestamp::duration::zero(), alert::AlertLimit::kPeriod);
        summary_timer_ = loop_.call_after(pause, [this] {
            summary_timer_.reset();
            write_alert_summary();
            retry_outputs_later();
            write_status_later();
        });
    }
}

void Engine::retry_outputs_later() {
    if (!retry_timer_ && outputs_.has_held_back()) {
        retry_timer_ = loop_.call_after(kRetryPeriod, [this] {
            retry_timer_.reset();
            outputs_.retry();
            retry_outputs_later();
        });
    }
}

void Engine::write_state_after(std::chrono::nanoseconds delay) {
    if (!state_timer_ && store_.has_pending()) {
        state_timer_ = loop_.call_after(delay, [this] {
            state_timer_.reset();
            const bool is_written = store_.flush(log_);
            write_state_after(is_written ? std::chrono::nanoseconds(kStateDelay) : kRetryPeriod);
        });
    }
}

void Engine::write_status_later() {
    if (!status_timer_) {
        status_timer_ = loop_.call_after(kStatusPeriod, [this] {
            status_timer_.reset();
            write_status();
        });
    }
}

void Engine::write_status() {
    const std::string path = home_.resolve("queue/engine-status.json");
    const auto written =
        base::write_file_atomically(path, status_as_json(), 0644, base::Durability::Process);
    if (!written) {
        log_.debug(path + ": " + written.error().message);
    }
}

names::CrawlerResolver::Counters Engine::crawler_counters() const {
    auto counters = ended_crawlers_;
    return crawlers_ ? counters += crawlers_->counters() : counters;
}

std::string Engine::status_as_json() const {
    const auto seconds = [](base::Timestamp time) {
        return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
    };
    nlohmann::ordered_json status{
        {"version", PORTCULLIS_VERSION},
        {"pid", ::getpid()},
        {"started", seconds(started_)},
        {"written", seconds(clock_.now())},
    };
    const EngineNumbers numbers{collector_,
                                analyzer_.counters(),
                                store_.counters(),
                                crawler_counters(),
                                alert_limit_,
                                outputs_,
                                execd_,
                                counters_};
    for (const EngineMetric& metric : engine_metrics()) {
        status[std::string(metric.name)] = metric.get(numbers);
    }
    return status.dump(1) + "\n";
}

}  // namespace portcullis::programs
