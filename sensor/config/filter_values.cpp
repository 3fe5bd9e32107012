#include "sensor/config/filter_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/ascii.hpp"
#include "sensor/config/settings.hpp"

namespace portcullis::sensor_config {
namespace {

using sensor_report::HostsFile;
using sensor_report::Protocol;
using sensor_report::ServicesFile;

constexpr std::uint8_t kHighestIcmpType = 18;

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

bool is_all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), base::is_digit);
}

// iplog recognizes ICMP types by the first letters of their names, in this order, and ignores the
// rest of the word. It had TSTAMPR(EPLY) and MASKRE(Q) wrong; they are right here.
struct TypeName {
    std::string_view start;
    std::uint8_t type;
};
constexpr TypeName kTypeNames[] = {
    {"echor", 0},   {"echo_r", 0},       {"ec", 8},          {"unre", 3},       {"sou", 4},
    {"red", 5},     {"routeradv", 9},    {"routersol", 10},  {"timx", 11},      {"time", 11},
    {"para", 12},   {"timestamp_r", 14}, {"timestampr", 14}, {"timestamp", 13}, {"tstampr", 14},
    {"tstamp", 13}, {"ireqr", 16},       {"ir", 15},         {"maskreq", 17},   {"maskr", 18},
    {"ma", 17},
};

std::optional<std::uint8_t> find_icmp_type(std::string_view name) {
    std::string wanted = lower(name);
    if (wanted.rfind("icmp_", 0) == 0) {
        wanted.erase(0, 5);
    }
    // "timestamp" starts with "time", so the longer name comes first.
    const TypeName* best = nullptr;
    for (const TypeName& row : kTypeNames) {
        if (wanted.rfind(row.start, 0) == 0 &&
            (best == nullptr || row.start.size() > best->start.size())) {
            best = &row;
        }
    }
    return best == nullptr ? std::nullopt : std::optional(best->type);
}

// Dotted, with one to three parts padded by ".0", or IPv6.
std::optional<base::IpAddress> parse_padded_address(std::string_view text) {
    if (text.find(':') != std::string_view::npos) {
        return base::IpAddress::parse(text);
    }
    std::string padded(text);
    for (auto dots = std::count(text.begin(), text.end(), '.'); dots < 3; ++dots) {
        padded += ".0";
    }
    return base::IpAddress::parse(padded);
}

// 1..32 (1..128 for IPv6) or a dotted mask of contiguous bits.
std::optional<int> parse_mask(std::string_view text, bool is_v4) {
    if (is_all_digits(text)) {
        const auto length = parse_number<int>(text);
        return length && *length >= 1 && *length <= (is_v4 ? 32 : 128) ? length : std::nullopt;
    }
    const auto mask = base::IpAddress::parse(text);
    if (!mask || !mask->is_v4() || !is_v4) {
        return std::nullopt;
    }
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        bits = (bits << 8) | mask->data()[i];
    }
    int length = 0;
    while (length < 32 && ((bits >> (31 - length)) & 1U) != 0) {
        ++length;
    }
    const bool is_contiguous = length == 32 || (bits << length) == 0;
    return is_contiguous && length > 0 ? std::optional(length) : std::nullopt;
}

std::string mask_fault(std::string_view mask, bool is_v4) {
    return is_all_digits(mask)
               ? fmt::format("Invalid mask: must be in range 1 - {}", is_v4 ? 32 : 128)
               : fmt::format("Invalid mask: {}", mask);
}

tl::unexpected<std::string> fault(std::string text) { return tl::unexpected(std::move(text)); }

// Returns true if there was one; then it is removed from `text`.
bool take_negation(std::string_view& text) {
    const bool is_negated = !text.empty() && text.front() == '!';
    text.remove_prefix(is_negated ? 1 : 0);
    return is_negated;
}

Parsed<std::uint16_t> parse_port(std::string_view text, Protocol protocol,
                                 const ServicesFile& services) {
    if (is_all_digits(text)) {
        const auto number = parse_number<std::uint16_t>(text);
        return number && *number > 0 ? Parsed<std::uint16_t>(*number)
                                     : fault("Error: Ports must be between 1 and 65535");
    }
    const auto port = services.find_port(protocol, text);
    return port ? Parsed<std::uint16_t>(*port) : fault(fmt::format("Invalid port: \"{}\"", text));
}

}  // namespace

Parsed<AddressMatch> parse_address_match(std::string_view text, const HostsFile& hosts) {
    AddressMatch match;
    match.is_negated = take_negation(text);
    if (text == "*") {
        match.networks = {{base::IpAddress(), 0}, {*base::IpAddress::parse("::"), 0}};
        return match;
    }
    const auto slash = text.find('/');
    const std::string_view host = text.substr(0, slash);
    std::vector<base::IpAddress> addresses;
    if (const auto address = parse_padded_address(host)) {
        addresses.push_back(*address);
    } else {
        addresses = hosts.addresses_of(host);
    }
    if (addresses.empty()) {
        return fault(fmt::format("Unknown host: {}", host));
    }
    for (const base::IpAddress& address : addresses) {
        int length = address.is_v4() ? 32 : 128;
        if (slash != std::string_view::npos) {
            const std::string_view mask = text.substr(slash + 1);
            const auto parsed = parse_mask(mask, address.is_v4());
            if (!parsed) {
                return fault(mask_fault(mask, address.is_v4()));
            }
            length = *parsed;
        }
        match.networks.emplace_back(address, length);
    }
    return match;
}

Parsed<PortMatch> parse_port_match(std::string_view text, Protocol protocol,
                                   const ServicesFile& services) {
    PortMatch match;
    match.is_negated = take_negation(text);
    if (text == "*") {
        return match;
    }
    const auto colon = text.find(':');
    const std::string_view low = text.substr(0, colon);
    if (low != "*") {
        const auto port = parse_port(low, protocol, services);
        if (!port) {
            return fault(port.error());
        }
        match.lowest = *port;
        match.highest = colon == std::string_view::npos ? *port : 65535;
    }
    const std::string_view high =
        colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    if (!high.empty() && high != "*") {
        const auto port = parse_port(high, protocol, services);
        if (!port) {
            return fault(port.error());
        }
        match.highest = *port;
    }
    if (match.lowest > match.highest) {
        return fault(fmt::format("Error: Minimum port ({}) is greater than the maximum port ({})",
                                 match.lowest, match.highest));
    }
    return match;
}

Parsed<TypeMatch> parse_type_match(std::string_view text) {
    TypeMatch match;
    match.is_negated = take_negation(text);
    if (text == "*") {
        return match;
    }
    auto type = find_icmp_type(text);
    if (is_all_digits(text)) {
        type = parse_number<std::uint8_t>(text);
    }
    if (!type || *type > kHighestIcmpType) {
        return fault(fmt::format("Unknown ICMP type: {}", text));
    }
    match.type = *type;
    return match;
}

Parsed<std::vector<base::Cidr>> parse_networks(std::string_view text) {
    std::vector<base::Cidr> networks;
    for (const std::string& part : split_commas(text)) {
        const std::string_view network = part;
        const auto slash = network.find('/');
        const auto address = parse_padded_address(network.substr(0, slash));
        std::optional<int> length;
        if (address && slash != std::string_view::npos) {
            const std::string_view mask = network.substr(slash + 1);
            length = parse_mask(mask, address->is_v4());
            if (!length) {
                return fault(mask_fault(mask, address->is_v4()));
            }
        } else if (address) {
            length = address->is_v4() ? 32 : 128;
        }
        if (!length) {
            return fault(fmt::format("Invalid network: {}", text));
        }
        networks.emplace_back(*address, *length);
    }
    if (networks.empty()) {
        return fault(fmt::format("Invalid network: {}", text));
    }
    return networks;
}

std::vector<std::string> split_commas(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        if (comma > 0) {
            parts.emplace_back(text.substr(0, comma));
        }
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return parts;
}

}  // namespace portcullis::sensor_config
