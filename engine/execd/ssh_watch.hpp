// SshWatch: the ssh sessions of the host, known before anybody asks.
//
// Follows the processes of sshd by ProcessEvents, so that the question whether somebody is logged
// in from an address costs a look at the titles of those few processes, rather than one at every
// connection of the host.
//
// A login can not be missed. Whatever process serves it was forked or executed before it could
// authenticate anybody, and that was in the queue at that moment; find_session() empties the queue
// first, and reads at that moment the titles of those that were not known to be logged in. If the
// kernel does not tell, or lost an event, the question is answered by find_ssh_session().
// Single-threaded.
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
    // `root` as for find_ssh_session(); anything but "" is no live host, where nothing is followed.
    explicit SshWatch(std::string root);

    // Readable when there is something to follow; -1 = nothing is followed.
    int fd() const { return events_ ? events_->fd() : -1; }
    // Takes the events in; between questions, so that few wait when one is asked.
    void follow() { take_events(); }
    // Looks at every process: mends what a lost event left, which the kernel does not admit when
    // its memory ran out.
    void look_again();

    // As find_ssh_session().
    std::optional<std::string> find_session(const base::Cidr& asked);

    // Calls on_session(peer, title) for each session. Looks at every process of sshd.
    void for_each(
        const std::function<void(const base::IpAddress&, const std::string&)>& on_session) const;

  private:
    // The peers of a process that was seen to be logged in; empty = it was not.
    using Peers = std::vector<base::IpAddress>;

    bool take_events();
    void take(const ProcessEvent& event);

    std::string root_;
    std::optional<ProcessEvents> events_;
    bool is_complete_ = false;
    std::map<pid_t, Peers> processes_;  // those of sshd
};

}  // namespace portcullis::execd
