#include "engine/rules/address_list.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "base/ascii.hpp"

namespace portcullis::rules {
namespace {

std::optional<base::Cidr> parse_network(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = parse_numeric_address(text.substr(0, slash));
    if (!address) {
        return std::nullopt;
    }
    const int bits = address->is_v4() ? 32 : 128;
    if (slash == std::string_view::npos) {
        return base::Cidr{*address, bits};
    }
    const std::string_view digits = text.substr(slash + 1);
    int prefix = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
        prefix < 0 || prefix > bits) {
        return std::nullopt;
    }
    return base::Cidr{*address, prefix};
}

}  // namespace

std::optional<base::IpAddress> parse_numeric_address(std::string_view text) {
    if (const auto address = base::IpAddress::parse(text)) {
        return address;
    }
    const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
        return c == '.' || c == 'x' || base::is_digit(c) || (c >= 'a' && c <= 'f');
    });
    std::array<char, 64> copy{};
    if (text.empty() || !is_plain || text.size() >= copy.size()) {
        return std::nullopt;
    }
    std::copy(text.begin(), text.end(), copy.begin());
    in_addr parsed{};
    if (inet_aton(copy.data(), &parsed) == 0) {
        return std::nullopt;
    }
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &parsed.s_addr, bytes.size());
    return base::IpAddress::v4(bytes);
}

bool AddressList::add(std::string_view entry) {
    Entry parsed;
    if (entry.starts_with('!')) {
        parsed.is_negated = true;
        entry.remove_prefix(1);
    }
    if (entry != "any") {
        parsed.network = parse_network(entry);
        if (!parsed.network) {
            return false;
        }
    }
    entries_.push_back(parsed);
    return true;
}

bool AddressList::matches(std::string_view text) const {
    const auto address = parse_numeric_address(text);
    if (!address) {
        return false;
    }
    for (const Entry& entry : entries_) {
        const bool covers = !entry.network || entry.network->prefix_length == 0 ||
                            entry.network->contains(*address);
        if (covers) {
            return !entry.is_negated;
        }
    }
    return !entries_.empty() && entries_.back().is_negated;
}

}  // namespace portcullis::rules
