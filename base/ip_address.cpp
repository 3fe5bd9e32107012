#include "base/ip_address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace portcullis::base {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool same_bits(const std::uint8_t* a, const std::uint8_t* b, int bits) {
    const auto whole = static_cast<std::size_t>(bits / 8);
    if (std::memcmp(a, b, whole) != 0) {
        return false;
    }
    const int rest = bits % 8;
    if (rest == 0) {
        return true;
    }
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
    return ((a[whole] ^ b[whole]) & mask) == 0;
}

}  // namespace

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
    if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin())) {
        return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
    }
    IpAddress address;
    address.family_ = IpFamily::V6;
    address.bytes_ = bytes;
    return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (text.empty() || text.size() >= buffer.size() || text.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    std::copy(text.begin(), text.end(), buffer.begin());
    std::array<std::uint8_t, 4> four{};
    if (inet_pton(AF_INET, buffer.data(), four.data()) == 1) {
        return v4(four);
    }
    std::array<std::uint8_t, 16> sixteen{};
    if (inet_pton(AF_INET6, buffer.data(), sixteen.data()) == 1) {
        return v6(sixteen);
    }
    return std::nullopt;
}

std::string IpAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), buffer.data(), buffer.size());
    return buffer.data();
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) {
        return std::nullopt;
    }
    const bool was_v6 = text.substr(0, slash).find(':') != std::string_view::npos;
    const int longest = was_v6 ? 128 : 32;
    int length = longest;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), length);
        if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
            length < 0 || length > longest) {
            return std::nullopt;
        }
    }
    if (was_v6 && address->is_v4()) {  // ::ffff:10.0.0.0/104 is 10.0.0.0/8
        if (length < 96) {
            return std::nullopt;
        }
        length -= 96;
    }
    return Cidr{*address, length};
}

bool Cidr::contains(const IpAddress& other) const {
    return address.family() == other.family() &&
           same_bits(address.data(), other.data(), prefix_length);
}

std::string Cidr::to_string() const {
    return fmt::format("{}/{}", address.to_string(), prefix_length);
}

const Cidr* CidrSet::find(const IpAddress& address) const {
    const auto found = std::find_if(cidrs_.begin(), cidrs_.end(),
                                    [&](const Cidr& cidr) { return cidr.contains(address); });
    return found == cidrs_.end() ? nullptr : &*found;
}

const Cidr* CidrSet::find_overlap(const Cidr& network) const {
    const auto found = std::find_if(cidrs_.begin(), cidrs_.end(),
                                    [&](const Cidr& cidr) { return cidr.overlaps(network); });
    return found == cidrs_.end() ? nullptr : &*found;
}

std::string_view special_use_of(const IpAddress& address) { return special_use_of(Cidr(address)); }

const std::vector<SpecialNetwork>& special_networks() {
    struct Row {
        std::string_view cidr;
        std::string_view use;
    };
    static const auto networks = [] {
        constexpr std::array kRows{
            Row{"127.0.0.0/8", "loopback"},  Row{"0.0.0.0/8", "unspecified"},
            Row{"224.0.0.0/4", "multicast"}, Row{"255.255.255.255/32", "broadcast"},
            Row{"::/128", "unspecified"},    Row{"::1/128", "loopback"},
            Row{"ff00::/8", "multicast"},    Row{"fe80::/10", "link-local"},
            Row{"240.0.0.0/4", "reserved"},  Row{"100::/64", "discard-only"},
        };
        std::vector<SpecialNetwork> parsed;
        parsed.reserve(kRows.size());
        for (const Row& row : kRows) {
            parsed.push_back({*Cidr::parse(row.cidr), row.use});
        }
        return parsed;
    }();
    return networks;
}

std::string_view special_use_of(const Cidr& network) {
    const auto& known = special_networks();
    const auto found = std::find_if(known.begin(), known.end(), [&](const auto& special) {
        return special.network.overlaps(network);
    });
    return found == known.end() ? std::string_view() : found->use;
}

std::size_t IpAddressHash::operator()(const IpAddress& address) const noexcept {
    // Two 64-bit halves mixed with the finaliser of splitmix64.
    std::array<std::uint64_t, 2> halves{};
    std::memcpy(halves.data(), address.data(), address.size());
    std::uint64_t x = halves[0] ^ (halves[1] * 0x9e3779b97f4a7c15ULL);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<std::size_t>(x ^ (x >> 31));
}

}  // namespace portcullis::base
