// Values of ossec.conf options: converts the content of an element to a typed value (spec: conf).
//
// Values are case-sensitive and never trimmed. Each read_ function reports an invalid value at its
// place, and then returns nullopt.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"
#include "engine/config/section_reader.hpp"
#include "engine/respond/response_config.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::config {

std::optional<bool> read_yes_no(SectionReader& reader, const xml::Node& option);
// Only digits, `min` to `max`.
std::optional<int> read_number(SectionReader& reader, const xml::Node& option, int min, int max);
// The length of an IPv6 prefix that is one site or host: 128, 64, 56 or 48.
std::optional<int> read_ipv6_prefix(SectionReader& reader, const xml::Node& option);
// Any text except an empty one.
std::optional<std::string> read_text(SectionReader& reader, const xml::Node& option);

// The networks of a white_list entry: one, or for "!network" those that cover the rest of its
// family. Empty = the entry is not an address or network.
std::vector<base::Cidr> parse_white_list_networks(std::string_view text);
// A possible name in DNS: labels of letters, digits, '-' and '_', the last one not only digits.
bool is_plausible_host_name(std::string_view text);
// "a@b" with something on both sides and no blanks.
bool is_plausible_mail_address(std::string_view text);

// The content of <location> of an active-response; nullopt = it has none of the words.
std::optional<respond::ResponseLocation> parse_response_location(std::string_view text);

}  // namespace portcullis::config
