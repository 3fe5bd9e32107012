#include "base/ban_target.hpp"

#include <algorithm>
#include <array>

namespace portcullis::base {

std::optional<Cidr> parse_ban_target(std::string_view text) {
    if (text.find('/') == std::string_view::npos) {
        const auto address = IpAddress::parse(text);
        return address ? std::optional(Cidr(*address)) : std::nullopt;
    }
    const auto network = Cidr::parse(text);
    if (!network) {
        return std::nullopt;
    }
    const int length = network->prefix_length;
    if (length < (network->address.is_v4() ? kShortestIpv4Prefix : kShortestIpv6Prefix)) {
        return std::nullopt;
    }
    std::array<std::uint8_t, 16> bytes{};
    std::copy_n(network->address.data(), network->address.size(), bytes.begin());
    for (int bit = length; bit < static_cast<int>(network->address.size()) * 8; ++bit) {
        auto& byte = bytes[static_cast<std::size_t>(bit / 8)];
        byte = static_cast<std::uint8_t>(byte & ~(0x80 >> (bit % 8)));
    }
    return network->address.is_v4()
               ? Cidr(IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}), length)
               : Cidr(IpAddress::v6(bytes), length);
}

std::optional<Cidr> parse_offender(std::string_view text) {
    constexpr std::array kLengths{48, 56, 64};
    const auto target = parse_ban_target(text);
    if (!target || text.find('/') == std::string_view::npos) {
        return target;
    }
    const bool is_customers =
        !target->address.is_v4() &&
        (target->is_one_address() ||
         std::find(kLengths.begin(), kLengths.end(), target->prefix_length) != kLengths.end());
    return is_customers ? target : std::nullopt;
}

std::string ban_target_text(const Cidr& target) {
    return target.is_one_address() ? target.address.to_string() : target.to_string();
}

}  // namespace portcullis::base
