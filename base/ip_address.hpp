// IpAddress, Cidr and CidrSet: IPv4 and IPv6 addresses as values.
//
// An IPv4-mapped IPv6 address (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2) is the IPv4 address: both
// spellings of a host are equal and are printed in the same way.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::base {

enum class IpFamily : std::uint8_t { V4, V6 };

class IpAddress {
  public:
    // 0.0.0.0
    constexpr IpAddress() = default;

    // `bytes` in network order.
    static IpAddress v4(const std::array<std::uint8_t, 4>& bytes) {
        IpAddress address;  // done twice for each packet: no loop, no call
        address.bytes_[0] = bytes[0];
        address.bytes_[1] = bytes[1];
        address.bytes_[2] = bytes[2];
        address.bytes_[3] = bytes[3];
        return address;
    }
    static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);

    // Strict: a dotted quad or RFC 4291 text, nothing around it, no zone ("%eth0"), no shortened
    // quads ("10.1"). nullopt = not an address.
    static std::optional<IpAddress> parse(std::string_view text);

    IpFamily family() const { return family_; }
    bool is_v4() const { return family_ == IpFamily::V4; }
    // 4 or 16 bytes in network order; the pointer lives as long as this object.
    const std::uint8_t* data() const { return bytes_.data(); }
    std::size_t size() const { return is_v4() ? 4 : 16; }

    // Canonical text (RFC 5952 for IPv6).
    std::string to_string() const;

    // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes what is generated for a literal 0
    auto operator<=>(const IpAddress&) const = default;
    // The same result as the generated one. It is called several times for each packet, with
    // addresses that were just written; comparing words as they were written avoids a stall, and
    // being inline a call.
    bool operator==(const IpAddress& other) const {
        const auto is_same = [&](auto word, std::size_t at) {
            auto mine = word;
            auto theirs = word;
            std::memcpy(&mine, &bytes_[at], sizeof mine);
            std::memcpy(&theirs, &other.bytes_[at], sizeof theirs);
            return mine == theirs;
        };
        if (family_ != other.family_) {
            return false;
        }
        return is_v4() ? is_same(std::uint32_t{0}, 0)
                       : is_same(std::uint64_t{0}, 0) && is_same(std::uint64_t{0}, 8);
    }

  private:
    IpFamily family_ = IpFamily::V4;
    std::array<std::uint8_t, 16> bytes_{};  // IPv4 uses the first four
};

// A network. Bits behind the prefix are ignored when matching.
struct Cidr {
    IpAddress address;
    int prefix_length = 0;  // 0..32 or 0..128

    Cidr() = default;
    // The network of one address.
    Cidr(const IpAddress& one)  // NOLINT(google-explicit-constructor): an address is a network
        : address(one), prefix_length(static_cast<int>(one.size()) * 8) {}
    Cidr(const IpAddress& first, int length) : address(first), prefix_length(length) {}

    // "10.0.0.0/8", "fe80::/10", or a single address (= /32, /128). nullopt = neither.
    static std::optional<Cidr> parse(std::string_view text);
    bool contains(const IpAddress& other) const;
    // Whether one of the two contains the other.
    bool overlaps(const Cidr& other) const {
        return prefix_length <= other.prefix_length ? contains(other.address)
                                                    : other.contains(address);
    }
    bool is_one_address() const { return prefix_length == static_cast<int>(address.size()) * 8; }
    std::string to_string() const;
};

// A list of networks; small (tens), searched linearly.
class CidrSet {
  public:
    void add(const Cidr& cidr) { cidrs_.push_back(cidr); }
    // The first member that contains `address`; nullptr = none. Valid until the next add().
    const Cidr* find(const IpAddress& address) const;
    // The first member that has an address in common with `network`. The same otherwise.
    const Cidr* find_overlap(const Cidr& network) const;
    bool contains(const IpAddress& address) const { return find(address) != nullptr; }
    bool empty() const { return cidrs_.empty(); }
    const std::vector<Cidr>& all() const { return cidrs_; }

  private:
    std::vector<Cidr> cidrs_;
};

// The reason why an address cannot be that of a remote attacker: a word such as "loopback",
// "multicast", "broadcast", "unspecified", "link-local", "reserved", "discard-only"; empty = it can
// be one. Covers, from RFC 6890, 127.0.0.0/8, ::1, 224.0.0.0/4, ff00::/8, 255.255.255.255,
// 0.0.0.0/8, ::, 240.0.0.0/4, fe80::/10 and 100::/64. Does not cover the ranges of local hosts,
// translators (64:ff9b::/96) and laboratories: attacks do come from these.
std::string_view special_use_of(const IpAddress& address);
// The same for a network that contains such an address.
std::string_view special_use_of(const Cidr& network);
// All networks that special_use_of() knows.
struct SpecialNetwork {
    Cidr network;
    std::string_view use;
};
const std::vector<SpecialNetwork>& special_networks();

struct IpAddressHash {
    std::size_t operator()(const IpAddress& address) const noexcept;
};

}  // namespace portcullis::base
