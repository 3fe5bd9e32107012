// Who is logged in by ssh, from where: found in the kernel's sockets and in /proc.
//
// A TCP connection to sshd proves nothing, since anybody can make one. A peer is spared only if an
// established connection from it belongs to a process that is sshd and whose title says that
// somebody is authenticated. No state; any thread.
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

// The inodes of established TCP sockets with a peer in `peers`, in the text of /proc/net/tcp or
// tcp6.
std::set<std::uint64_t> established_sockets_in(std::string_view text, const base::Cidr& peers);

// Of a process by its folder ("/proc/17"): whether it runs root's own sshd or sshd-session (a local
// user may name a program sshd and give it any title, but cannot make it root's file), its title
// (empty = there is no such process), and which of its descriptors are sockets.
bool is_ssh_program(const std::string& process);
std::string process_title(const std::string& process);
// Whether root started it: it is root's, or a child of root's sshd, as those that serve a login
// are. Anybody may run sshd himself, with whatever title.
bool is_of_root_sshd(const std::string& process);
std::vector<int> socket_numbers_of(const std::string& process);

// The processes of sshd, by their ids, in a folder such as "/proc".
std::vector<pid_t> ssh_processes_in(const std::string& proc);

// The title of an authenticated session whose peer is in `peers`; nullopt = there is none.
// Cheap if there is no established connection from there. `root` precedes /proc; with "" the
// sockets are asked from the kernel by sock_diag(7) rather than read from /proc/net.
std::optional<std::string> find_ssh_session(const base::Cidr& peers, const std::string& root);

}  // namespace portcullis::execd
