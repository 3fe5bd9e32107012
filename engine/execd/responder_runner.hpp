// ResponderRunner: the Runner of execd. A job of a persistent command goes to the responder of its
// executable, another one to a process of its own. Single-threaded on the event loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "engine/execd/persistent_responder.hpp"
#include "engine/execd/script_runner.hpp"

namespace portcullis::execd {

class ResponderRunner final : public Runner {
  public:
    // `loop` and `log` must outlive this.
    ResponderRunner(base::EventLoop& loop, base::Log& log, std::string folder)
        : loop_(loop), log_(log), folder_(std::move(folder)), scripts_(loop, folder_) {}

    // `on_restarted` is called with the executable of a responder that had ended and was started
    // again.
    void set_on_restarted(std::function<void(const std::string&)> on_restarted) {
        on_restarted_ = std::move(on_restarted);
    }

    // `on_event` is called for messages of responders that answer no request.
    void set_on_event(std::function<void(const HoldEvent&)> on_event) {
        on_event_ = std::move(on_event);
    }

    // Starts the responder of `executable` now, and not with its first job.
    void start_responder(const std::string& executable) { responder_of(executable); }

    void run(const Job& job, std::function<void(const JobResult&)> on_done) override {
        if (job.is_persistent) {
            responder_of(job.executable).run(job, std::move(on_done));
        } else {
            scripts_.run(job, std::move(on_done));
        }
    }

    void list(const std::string& executable, const std::string& address,
              std::function<void(const Held&)> on_held,
              std::function<void(const HeldResult&)> on_done) override {
        responder_of(executable).list(address, std::move(on_held), std::move(on_done));
    }

    void hold(const std::string& executable, const HoldRequest& request,
              std::function<void(const JobResult&)> on_done) override {
        responder_of(executable).hold(request, std::move(on_done));
    }

  private:
    PersistentResponder& responder_of(const std::string& executable) {
        auto& responder = responders_[executable];
        if (responder == nullptr) {
            responder = std::make_unique<PersistentResponder>(loop_, log_, folder_, executable);
            responder->set_on_restarted([this, executable] {
                if (on_restarted_) {
                    on_restarted_(executable);
                }
            });
            responder->set_on_event([this](const HoldEvent& event) {
                if (on_event_) {
                    on_event_(event);
                }
            });
        }
        return *responder;
    }

    base::EventLoop& loop_;
    base::Log& log_;
    std::string folder_;
    std::function<void(const std::string&)> on_restarted_;
    std::function<void(const HoldEvent&)> on_event_;
    ScriptRunner scripts_;
    std::map<std::string, std::unique_ptr<PersistentResponder>> responders_;
};

}  // namespace portcullis::execd
