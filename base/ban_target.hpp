// Ban targets: a ban is about one address, or about a network whose owner can use any address in
// it.
//
// Used by the engine, which asks for bans, by execd and by the responders. Plain functions,
// thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"

namespace portcullis::base {

// The largest networks that can be banned: a larger one is most likely a mistake.
inline constexpr int kShortestIpv4Prefix = 8;
inline constexpr int kShortestIpv6Prefix = 32;

// "192.0.2.1", "192.0.2.0/24", "2001:db8::1" or "2001:db8:1:2::/64". The bits behind a prefix are
// cleared. nullopt = not an address or network, or a network that is too large.
std::optional<Cidr> parse_ban_target(std::string_view text);

// The same for text that comes from a log line: an address, or an IPv6 network of a size that is
// given to one customer (48, 56 or 64 bits; RFC 6177). nullopt = anything else, including other
// networks, which only an administrator can ban.
std::optional<Cidr> parse_offender(std::string_view text);

// The canonical text: an address alone, or a network with its length. REQUIRES: as parsed.
std::string ban_target_text(const Cidr& target);

}  // namespace portcullis::base
