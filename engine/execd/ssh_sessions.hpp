// Who is logged in by ssh, from where: found in the kernel's sockets and in /proc.
//
// A TCP connection to sshd proves nothing, since anybody can make one. A peer is spared only if an
// established connection from it belongs to a process that is sshd and whose title says that
// somebody is authenticated. No state; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "engine/base/ip_address.hpp"

namespace portcullis::execd {

// Whether an sshd process with this title (its command line) serves an authenticated user:
// "sshd: alice@pts/0", "sshd: alice@notty" and, without any session (ssh -N), "sshd: alice". Not
// "sshd: alice [priv]", "[net]", "[accepted]" or "[preauth]", nor the listener.
bool is_authenticated_title(std::string_view title);

// The inodes of established TCP sockets with this peer, in the text of /proc/net/tcp or tcp6.
std::set<std::uint64_t> established_sockets_in(std::string_view text, const base::IpAddress& peer);

// The title of an authenticated session whose peer is `peer`; nullopt = there is none.
// Cheap if there is no established connection from `peer`. `root` stands before /proc; with "" the
// sockets are asked from the kernel by sock_diag(7) rather than read from /proc/net.
std::optional<std::string> find_ssh_session(const base::IpAddress& peer, const std::string& root);

}  // namespace portcullis::execd
