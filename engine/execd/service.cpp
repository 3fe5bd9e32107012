#include "engine/execd/service.hpp"

#include <algorithm>
#include <utility>

namespace portcullis::execd {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Longest time between two looks at the wall clock, which may jump. Deadlines are wall-clock times,
// since these survive a reboot.
constexpr nanoseconds kLongestSleep = milliseconds(500);
// Time between a request to a persistent responder and the sync of the journal. The acknowledgement
// of the kernel takes far less.
constexpr nanoseconds kJournalSyncDelay = milliseconds(10);
// A smaller difference is drift, or the time between reading the two clocks.
constexpr nanoseconds kClockJump = std::chrono::seconds(1);

nanoseconds offset_of(const base::Clock& clock) {
    return clock.now().time_since_epoch() - std::chrono::steady_clock::now().time_since_epoch();
}

}  // namespace

base::Result<std::unique_ptr<Service>> Service::open(base::EventLoop& loop,
                                                     const base::Clock& clock, base::Log& log,
                                                     ServicePaths paths, ExecdConfig config,
                                                     Protection& protection) {
    auto records = Records::open(paths.log, paths.json);
    if (!records) {
        return base::fail(std::move(records.error()));
    }
    JournalState state;
    auto journal = Journal::open(paths.state, state);
    if (!journal) {
        return base::fail(std::move(journal.error()));
    }
    if (state.damaged > 0) {
        log.warning("the journal of bans has damaged lines, which are skipped: " +
                    std::to_string(state.damaged));
    }
    std::unique_ptr<Service> service(new Service(
        loop, clock, log, std::move(paths), std::move(*records), std::move(*journal), protection));
    service->config_ = config;
    service->hold_ = std::make_unique<Hold>(Hold::Parts{
        loop, clock, log, service->runner_, protection, service->records_, service->paths_.status});
    service->record_limit_ = std::make_unique<RecordLimit>(*service->hold_);
    service->executor_ =
        std::make_unique<Executor>(std::move(config), std::move(state), service->journal_,
                                   service->runner_, protection, *service->record_limit_, log);
    return service;
}

Service::Service(base::EventLoop& loop, const base::Clock& clock, base::Log& log,
                 ServicePaths paths, Records records, Journal journal, Protection& protection)
    : loop_(loop),
      clock_(clock),
      log_(log),
      paths_(std::move(paths)),
      records_(std::move(records)),
      journal_(std::move(journal)),
      runner_(loop, log, paths_.responders),
      protection_(protection),
      clock_offset_(offset_of(clock)) {
    runner_.set_on_restarted([this](const std::string& executable) {
        follow_clock();
        executor_->apply_again(executable, clock_.now());
        hold_->on_restarted(executable);
        schedule();
    });
    runner_.set_on_event([this](const HoldEvent& event) { hold_->on_event(event); });
}

void Service::start_responders(const ExecdConfig& config) {
    for (const auto& command : config.commands) {
        if (command.is_persistent && !config.dry_run) {
            runner_.start_responder(command.executable);
        }
    }
}

base::Result<void> Service::listen(uid_t engine_uid) {
    start_responders(config_);
    executor_->restore(clock_.now());
    hold_->apply(config_);
    executor_->log_unexplained();
    auto server = MessageServer::listen(
        paths_.socket, engine_uid,
        {loop_, clock_, log_, *record_limit_, *executor_, protection_,
         [this] { return config_.dry_run; }, [this] { follow_clock(); }, [this] { schedule(); }});
    if (!server) {
        return base::fail(std::move(server.error()));
    }
    server_ = std::move(*server);
    schedule();
    return {};
}

void Service::set_config(ExecdConfig config) {
    start_responders(config);
    config_ = config;
    executor_->set_config(std::move(config));
    hold_->apply(config_);
    on_protection_changed();
}

void Service::on_protection_changed() {
    follow_clock();
    executor_->lift_protected(clock_.now());
    hold_->on_protection_changed();
    schedule();
}

// Deadlines are wall-clock times, so that they survive a restart. Timeouts of the kernel are not.
// If the clock is set, no ban may end at once or last for years.
void Service::follow_clock() {
    const nanoseconds offset = offset_of(clock_);
    const nanoseconds jump = offset - clock_offset_;
    clock_offset_ = offset;
    if (jump > kClockJump || jump < -kClockJump) {
        executor_->clock_jumped(jump, clock_.now());
    }
}

void Service::schedule() {
    if (!journal_sync_) {
        journal_sync_ = loop_.call_after(kJournalSyncDelay, [this] {
            executor_->sync_journal();
            journal_sync_ = base::EventLoop::no_source();
        });
    }
    const auto due = executor_->next_due();
    if (executor_->ban_count() == 0 && !due) {
        tick_ = base::EventLoop::no_source();
        return;
    }
    nanoseconds wait = kLongestSleep;
    if (due) {
        wait = std::clamp<nanoseconds>(*due - clock_.now(), nanoseconds(0), kLongestSleep);
    }
    tick_ = loop_.call_after(wait, [this] {
        follow_clock();
        executor_->tick(clock_.now());
        schedule();
    });
}

bool Service::run_until(const std::function<bool()>& is_done, nanoseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!is_done()) {
        const auto left = deadline - std::chrono::steady_clock::now();
        if (left <= nanoseconds(0)) {
            return false;
        }
        loop_.run_once(std::min<nanoseconds>(left, milliseconds(100)));
    }
    executor_->sync_journal();
    return true;
}

}  // namespace portcullis::execd
