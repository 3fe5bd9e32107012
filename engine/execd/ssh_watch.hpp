// SshWatch: finds the ssh sessions of the host at little cost.
//
// It follows the processes of sshd by ProcessEvents. So find_session() reads the titles of these
// few processes, and not every connection of the host.
//
// No login is missed. The process that serves a login was forked or executed before it could
// authenticate its user, and the kernel had queued that event by then. find_session() empties the
// queue first, and then reads the titles of the processes that were not known to be logged in. If
// the kernel reports no events, or lost one, find_ssh_session() answers. Single-threaded.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "engine/execd/process_events.hpp"

namespace portcullis::execd {

class SshWatch {
  public:
    // `root` as for find_ssh_session(). Processes are followed only if it is "", the live host.
    explicit SshWatch(std::string root);

    // Readable when there is something to follow; -1 = nothing is followed.
    int fd() const { return events_ ? events_->fd() : -1; }
    // Handles the queued events. Call it when fd() is readable, so that the queue stays short.
    void follow() { take_events(); }
    // Reads the titles of all processes. This corrects the effect of a lost event: the kernel does
    // not report the loss if its memory ran out.
    void look_again();

    // As find_ssh_session().
    std::optional<std::string> find_session(const base::Cidr& asked);

    // Calls on_session(peer, title) for each session. Reads the titles of all processes of sshd.
    void for_each(
        const std::function<void(const base::IpAddress&, const std::string&)>& on_session) const;

  private:
    // The peers of a process with a logged-in user; empty = no user was logged in.
    using Peers = std::vector<base::IpAddress>;

    bool take_events();
    void take(const ProcessEvent& event);

    std::string root_;
    std::optional<ProcessEvents> events_;
    bool is_complete_ = false;
    std::map<pid_t, Peers> processes_;  // of sshd
};

}  // namespace portcullis::execd
