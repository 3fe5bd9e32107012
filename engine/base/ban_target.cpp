#include "engine/base/ban_target.hpp"

#include <algorithm>
#include <array>

namespace portcullis::base {

std::optional<Cidr> parse_ban_target(std::string_view text) {
    constexpr std::array kLengths{48, 56, 64};
    if (text.find('/') == std::string_view::npos) {
        const auto address = IpAddress::parse(text);
        return address ? std::optional(Cidr(*address)) : std::nullopt;
    }
    const auto network = Cidr::parse(text);
    if (!network || network->address.is_v4()) {
        return std::nullopt;
    }
    if (network->is_one_address()) {
        return network;
    }
    if (std::find(kLengths.begin(), kLengths.end(), network->prefix_length) == kLengths.end()) {
        return std::nullopt;
    }
    std::array<std::uint8_t, 16> bytes{};
    std::copy_n(network->address.data(), network->prefix_length / 8, bytes.begin());
    return Cidr(IpAddress::v6(bytes), network->prefix_length);
}

std::string ban_target_text(const Cidr& target) {
    return target.is_one_address() ? target.address.to_string() : target.to_string();
}

}  // namespace portcullis::base
