// Server: the persistent responder: requests on standard input, replies on standard output, until
// standard input ends. Single-threaded: one poll(), each descriptor with a handler of its own.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "active-response/ban_sets.hpp"
#include "active-response/hold.hpp"
#include "active-response/home_lock.hpp"
#include "active-response/lists.hpp"
#include "active-response/request.hpp"

namespace portcullis::active_response {

class Server {
  public:
    Server(BanSets& sets, HomeLock& lock);
    // Returns the exit code.
    int run();

  private:
    using TimePoint = std::chrono::steady_clock::time_point;
    // One descriptor that is polled. `fd` may be -1: nothing to wait for.
    struct Watched {
        int fd = -1;
        // Called when it is readable. The exit code, if there is nothing more to do.
        std::optional<int> (Server::*on_readable)() = nullptr;
    };
    // All that is polled, in the order in which it is served.
    std::vector<Watched> watched() const;
    // When on_time() has something to do.
    TimePoint next_time() const;
    void on_time();

    std::optional<int> take_requests();
    // The replies to what came together. Requests by action: `list` is answered by Lists after the
    // changes that came with it.
    std::string dispatch(const std::vector<Request>& requests);
    std::optional<int> follow_table();
    std::optional<int> go_on_with_list();
    void make_table();
    int finish(int exit_code);

    std::optional<int> take_hold_work();
    std::optional<int> take_hold_log();
    std::optional<int> follow_hold_table();

    // Whether this home has the firewall; else `refusal_` says who has it.
    bool has_lock();
    // Sends execd what was put back.
    bool report_restored();

    BanSets& sets_;
    HomeLock& lock_;
    std::string refusal_;
    Hold hold_;
    Lists lists_{hold_};
    TimePoint table_due_;
    TimePoint check_due_;
    bool is_table_made_ = false;
    std::string in_;
    std::array<char, 65536> buffer_{};
};

}  // namespace portcullis::active_response
