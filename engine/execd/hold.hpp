// Hold: has the responder configure the kernel to hold scans, and records the result of each hold
// (docs/hold.md).
//
// It sends the request again after each start of the responder, at a reload, when the never-block
// list has changed, and some time after the responder failed. It is a RecordSink in front of
// another one: an executed ban that passes confirms the hold of its address. Single-threaded on the
// event loop.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "engine/execd/execd_config.hpp"
#include "engine/execd/hold_reports.hpp"
#include "engine/execd/protection.hpp"
#include "engine/execd/records.hpp"
#include "engine/execd/runner.hpp"

namespace portcullis::execd {

class Hold final : public RecordSink {
  public:
    // The executable that can hold.
    static constexpr std::string_view kResponder = "firewall-drop";

    struct Parts {
        base::EventLoop& loop;
        const base::Clock& clock;
        base::Log& log;
        Runner& runner;
        Protection& protection;
        RecordSink& records;      // gets all records
        std::string status_file;  // file of published counters; empty = none
    };
    // All references must outlive this.
    explicit Hold(Parts parts);
    ~Hold() override = default;
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    // Call it at the start and at each reload. Without a persistent command of kResponder, or with
    // <hold>no</hold>, nothing is held. A dry run only counts the sources that would be held.
    void apply(const ExecdConfig& config);
    // The responder was started again, and the earlier process may have left anything in the
    // kernel.
    void on_restarted(const std::string& executable);
    void on_protection_changed();
    void on_event(const HoldEvent& event);

    void write(const Record& record) override;
    void tick(base::Timestamp now) override { parts_.records.tick(now); }
    std::optional<base::Timestamp> next_due() const override { return parts_.records.next_due(); }

    const HoldReports& reports() const { return reports_; }

  private:
    bool is_wanted() const { return has_responder_ && config_.mode != base::HoldMode::No; }
    // Asks at most once in kPause, since each change costs the responder a call of nft(8).
    void ask_soon();
    void ask(bool is_forced);
    void take_result(const JobResult& result);
    void schedule();
    void write_status();

    Parts parts_;
    HoldReports reports_;
    base::HoldConfig config_;
    bool is_dry_ = false;
    bool has_responder_ = false;
    bool was_asked_ = false;  // the kernel may hold sources: no request to end it has succeeded
    std::optional<HoldRequest> last_;
    std::string last_problem_;  // the last one in the log
    std::chrono::steady_clock::time_point next_ask_;
    std::chrono::seconds retry_delay_;
    base::EventLoop::Source retry_ = base::EventLoop::no_source();
    base::EventLoop::Source ask_ = base::EventLoop::no_source();
    base::EventLoop::Source tick_ = base::EventLoop::no_source();
    base::EventLoop::Source status_ = base::EventLoop::no_source();
};

}  // namespace portcullis::execd
