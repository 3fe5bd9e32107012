#include "engine/execd/hold.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/ban_target.hpp"
#include "base/fd.hpp"
#include "engine/execd/metrics.hpp"

namespace portcullis::execd {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Changes of the never-block list come in groups.
constexpr milliseconds kDebounce{100};
constexpr std::chrono::seconds kPause{2};
// A request that failed is repeated: at first after this time, then after twice the time before.
constexpr std::chrono::seconds kFirstRetry{2};
constexpr std::chrono::seconds kLongestRetry{600};
constexpr std::chrono::seconds kStatusPeriod{1};

}  // namespace

Hold::Hold(Parts parts)
    : parts_(std::move(parts)), reports_(parts_.records), retry_delay_(kFirstRetry) {}

void Hold::apply(const ExecdConfig& config) {
    config_ = config.hold;
    is_dry_ = config.dry_run;
    has_responder_ =
        std::any_of(config.commands.begin(), config.commands.end(), [](const Command& command) {
            return command.is_persistent && command.executable == kResponder;
        });
    reports_.set({config_.seconds, is_dry_});
    write_status();
    // A dry run does not start a responder only to have it hold nothing.
    if (is_wanted() || was_asked_ || (has_responder_ && !is_dry_)) {
        ask(false);
    }
}

void Hold::on_restarted(const std::string& executable) {
    if (executable == kResponder && (is_wanted() || was_asked_)) {
        ask(true);
    }
}

void Hold::on_protection_changed() {
    if (is_wanted()) {
        ask_soon();
    }
}

void Hold::ask_soon() {
    if (ask_) {
        return;
    }
    const auto wait =
        std::max<std::chrono::nanoseconds>(next_ask_ - steady_clock::now(), kDebounce);
    ask_ = parts_.loop.call_after(wait, [this] {
        ask_ = base::EventLoop::no_source();
        ask(false);
    });
}

void Hold::ask(bool is_forced) {
    HoldRequest request;
    request.config = config_;
    request.is_dry = is_dry_;
    if (!is_wanted()) {
        request.config.mode = base::HoldMode::No;
    } else {
        for (auto& entry : parts_.protection.all_protected()) {
            request.spared.push_back(entry.network);
        }
        request.on_link = parts_.protection.on_link_networks();
    }
    if (!is_forced && last_ && *last_ == request) {
        return;
    }
    was_asked_ = true;
    last_ = request;
    next_ask_ = steady_clock::now() + kPause;
    retry_ = base::EventLoop::no_source();
    parts_.runner.hold(std::string(kResponder), request, [this, request](const JobResult& result) {
        // An older answer says nothing about the request that is under way.
        if (last_ && *last_ == request) {
            take_result(result);
        }
    });
}

void Hold::take_result(const JobResult& result) {
    const bool is_ending = last_->config.mode == base::HoldMode::No;
    if (result.ok) {
        if (!last_problem_.empty() && !is_ending) {
            parts_.log.info(is_dry_ ? "holds are counted again" : "scans are held again");
        }
        last_problem_.clear();
        retry_delay_ = kFirstRetry;
        was_asked_ = !is_ending;
        return;
    }
    last_.reset();  // a reload asks again
    if (result.reason != last_problem_) {
        parts_.log.warning(
            (is_ending ? "the kernel may still hold scans: " : "scans are not held: ") +
            result.reason);
        last_problem_ = result.reason;
    }
    if (is_wanted() || was_asked_) {
        retry_ = parts_.loop.call_after(retry_delay_, [this] { ask(true); });
        retry_delay_ = std::min(2 * retry_delay_, kLongestRetry);
    }
}

void Hold::on_event(const HoldEvent& event) {
    const auto now = parts_.clock.now();
    if (event.target) {
        const auto reason =
            is_dry_ ? std::nullopt : parts_.protection.reason_to_spare(*event.target);
        if (reason) {
            // It became protected without a notice. It is released, and the next request spares it.
            Job job;
            job.action = Action::Release;
            job.executable = kResponder;
            job.is_persistent = true;
            job.address = base::ban_target_text(*event.target);
            parts_.runner.run(job, [](const JobResult&) {});
            reports_.take_spared(*event.target, *reason, now);
            ask_soon();
        } else {
            reports_.take_held(*event.target, now);
        }
    }
    if (event.more > 0) {
        reports_.take_more(event.more, now);
    }
    schedule();
}

void Hold::write(const Record& record) {
    parts_.records.write(record);
    if (record.outcome == Outcome::Executed && record.action == Action::Add) {
        if (const auto target = base::parse_ban_target(record.address)) {
            reports_.note_ban(*target, record.time);
            schedule();
        }
    }
}

void Hold::schedule() {
    if (!status_ && !parts_.status_file.empty()) {
        status_ = parts_.loop.call_after(kStatusPeriod, [this] {
            status_ = base::EventLoop::no_source();
            write_status();
        });
    }
    const auto due = reports_.next_due();
    if (!due) {
        tick_ = base::EventLoop::no_source();
        return;
    }
    const auto wait = std::clamp<std::chrono::nanoseconds>(
        *due - parts_.clock.now(), std::chrono::nanoseconds(0), std::chrono::minutes(1));
    tick_ = parts_.loop.call_after(wait, [this] {
        reports_.tick(parts_.clock.now());
        schedule();
    });
}

void Hold::write_status() {
    if (parts_.status_file.empty()) {
        return;
    }
    const auto written = base::write_file_atomically(
        parts_.status_file, status_json(reports_, ::getpid()), 0644, base::Durability::Process);
    if (!written) {
        parts_.log.debug(parts_.status_file + ": " + written.error().message);
    }
}

}  // namespace portcullis::execd
