// Service: the parts of execd put together, and driven by one event loop. portcullis-control uses
// it without listen(), to undo bans while execd is down.
//
// REQUIRES: the caller holds the lock on the home's run/execd.pid. Single-threaded.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "engine/execd/executor.hpp"
#include "engine/execd/hold.hpp"
#include "engine/execd/message_server.hpp"
#include "engine/execd/protection.hpp"
#include "engine/execd/record_limit.hpp"
#include "engine/execd/records.hpp"
#include "engine/execd/responder_runner.hpp"

namespace portcullis::execd {

struct ServicePaths {
    std::string responders;  // folder of the executables
    std::string state;       // folder of the journal, 0700
    std::string log;         // active-responses.log
    std::string json;        // active-responses.json
    std::string socket;
    std::string status = {};  // file of published counters; empty = none
};

class Service {
  public:
    // All references must outlive the Service. Errors: those of Journal and Records.
    static base::Result<std::unique_ptr<Service>> open(base::EventLoop& loop,
                                                       const base::Clock& clock, base::Log& log,
                                                       ServicePaths paths, ExecdConfig config,
                                                       Protection& protection);
    ~Service() = default;
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    // Starts the persistent responders, restores the bans of the journal, and takes messages.
    base::Result<void> listen(uid_t engine_uid);

    // Replaces the configuration. Active bans stay as they are.
    void set_config(ExecdConfig config);
    // Call it when the never-block list has changed. Lifts the bans of protected addresses.
    void on_protection_changed();

    Executor& executor() { return *executor_; }

    // Runs the loop until `is_done()` returns true, at most for `limit`. Returns whether it did.
    // For work without a server.
    bool run_until(const std::function<bool()>& is_done, std::chrono::nanoseconds limit);

  private:
    Service(base::EventLoop& loop, const base::Clock& clock, base::Log& log, ServicePaths paths,
            Records records, Journal journal, Protection& protection);
    void start_responders(const ExecdConfig& config);
    void schedule();
    void follow_clock();

    base::EventLoop& loop_;
    const base::Clock& clock_;
    base::Log& log_;
    ServicePaths paths_;
    Records records_;
    Journal journal_;
    ResponderRunner runner_;
    Protection& protection_;
    ExecdConfig config_;
    std::chrono::nanoseconds clock_offset_;      // wall clock minus steady clock
    std::unique_ptr<Hold> hold_;                 // passes records on to records_
    std::unique_ptr<RecordLimit> record_limit_;  // passes them on to hold_
    std::unique_ptr<Executor> executor_;
    std::unique_ptr<MessageServer> server_;
    base::EventLoop::Source tick_ = base::EventLoop::no_source();
    base::EventLoop::Source journal_sync_ = base::EventLoop::no_source();
};

}  // namespace portcullis::execd
