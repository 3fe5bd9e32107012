// Server: the persistent responder. It reads requests from standard input and writes replies to
// standard output, until standard input ends. Single-threaded: one poll(), and a handler for each
// descriptor.
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
    // A descriptor that is polled. -1 = none.
    struct Watched {
        int fd = -1;
        // Called when it is readable. Returns the exit code if the program ends.
        std::optional<int> (Server::*on_readable)() = nullptr;
    };
    // The polled descriptors, in the order in which they are served.
    std::vector<Watched> watched() const;
    // When on_time() has work.
    TimePoint next_time() const;
    // Returns false if execd has ended.
    bool on_time();

    std::optional<int> take_requests();
    // Returns the replies to requests that came together. Lists answers `list` requests after the
    // changes that came with them.
    std::string dispatch(const std::vector<Request>& requests);
    std::optional<int> follow_table();
    std::optional<int> go_on_with_list();
    void make_table();
    // Whether this home has the firewall; otherwise `refusal_` names the home that has it.
    bool has_lock();
    // Reports repairs to execd.
    bool report_restored();
    int finish(int exit_code);

    std::optional<int> take_hold_work();
    std::optional<int> take_hold_log();
    std::optional<int> follow_hold_table();

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
