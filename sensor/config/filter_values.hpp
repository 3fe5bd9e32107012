// The values that filters of iplog.conf compare with, read from one token each.
//
//   ADDRESS = "*" | ["!"] (address | name) ["/" mask]
//   PORT    = ["!"] (p | a":"b | a":" | "*" [":" b])        numbers or service names
//   TYPE    = ["!"] (0..18 | name | "*")
//   NET     = address ["/" mask]
//
// An IPv4 address may have fewer than four parts ("10.1" is 10.1.0.0); a mask is a length or, for
// IPv4, dotted. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "base/ip_address.hpp"
#include "sensor/config/packet_filter.hpp"
#include "sensor/report/names.hpp"

namespace portcullis::sensor_config {

// A value, or the fault of its text in iplog's words.
template <class Value>
using Parsed = tl::expected<Value, std::string>;

// A name means all addresses that it has in `hosts`. An unknown name is a fault; in iplog it
// matched every address and so silenced the whole protocol.
Parsed<AddressMatch> parse_address_match(std::string_view text,
                                         const sensor_report::HostsFile& hosts);

Parsed<PortMatch> parse_port_match(std::string_view text, sensor_report::Protocol protocol,
                                   const sensor_report::ServicesFile& services);

Parsed<TypeMatch> parse_type_match(std::string_view text);

// "NET{,NET}" as for promisc.
Parsed<std::vector<base::Cidr>> parse_networks(std::string_view text);

// "a,b,c" without empty parts.
std::vector<std::string> split_commas(std::string_view text);

}  // namespace portcullis::sensor_config
