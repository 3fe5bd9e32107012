// Finds the peers of ssh sessions in the kernel's sockets and in /proc.
//
// A TCP connection to sshd proves nothing, since any host can make one. A peer is spared only if an
// established connection from it belongs to a process of sshd whose title shows an authenticated
// user. No state; any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"

namespace portcullis::execd {

// Whether an sshd process with this title (its command line) serves an authenticated user:
// "sshd: alice@pts/0", "sshd: alice@notty" and, without any session (ssh -N), "sshd: alice". Not
// "sshd: alice [priv]", "[net]", "[accepted]" or "[preauth]", nor the listener.
bool is_authenticated_title(std::string_view title);

// Returns the inodes of established TCP sockets with a peer in `peers`. `text`: the content of
// /proc/net/tcp or tcp6.
std::set<std::uint64_t> established_sockets_in(std::string_view text, const base::Cidr& peers);

// The next functions take the folder of a process ("/proc/17").
// Whether the process runs sshd or sshd-session from a file of root. A local user may give a
// program this name and any title, but cannot make its file root's.
bool is_ssh_program(const std::string& process);
// Returns the title of the process; empty = there is no such process.
std::string process_title(const std::string& process);
// Whether root started the process: it belongs to root, or is a child of root's sshd, as the
// processes of logins are. A local user may run sshd with any title.
bool is_of_root_sshd(const std::string& process);
// Returns the descriptors of the process that are sockets.
std::vector<int> socket_numbers_of(const std::string& process);

// Returns the ids of the processes of sshd in a folder such as "/proc".
std::vector<pid_t> ssh_processes_in(const std::string& proc);

// Returns the title of an authenticated session whose peer is in `peers`; nullopt = there is none.
// Without an established connection from there the cost is low. `root` precedes /proc; with "" the
// sockets are read by sock_diag(7) and not from /proc/net.
std::optional<std::string> find_ssh_session(const base::Cidr& peers, const std::string& root);

}  // namespace portcullis::execd
