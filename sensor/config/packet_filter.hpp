// PacketFilters: the `log` and `ignore` rules of iplog.conf. They decide which packets the sensor
// ignores.
//
// Specification section 6.3: each protocol has a list, the first match decides, and a packet
// without a match is logged. `log` rules come before `ignore` rules; a later `log` rule comes
// before an earlier one. The detectors do not see an ignored packet either. Immutable while packets
// are processed; thread-safe to read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ip_address.hpp"
#include "sensor/packet/packet.hpp"

namespace portcullis::sensor_config {

enum class FilterProtocol : std::uint8_t { Tcp, Udp, Icmp };

struct AddressMatch {
    std::vector<base::Cidr> networks;
    bool is_negated = false;
};

struct PortMatch {
    std::uint16_t lowest = 0;
    std::uint16_t highest = 65535;
    bool is_negated = false;
};

struct TypeMatch {
    // The ICMP type; an ICMPv6 type matches by its meaning. nullopt = any.
    std::optional<std::uint8_t> type;
    bool is_negated = false;
};

// All given criteria must match.
struct PacketFilter {
    bool is_ignored = true;  // an `ignore` rule; false: a `log` rule
    std::optional<AddressMatch> from;
    std::optional<AddressMatch> to;
    std::optional<PortMatch> source_port;
    std::optional<PortMatch> destination_port;
    std::optional<TypeMatch> icmp_type;
};

class PacketFilters {
  public:
    // In the order of the file.
    void add(FilterProtocol protocol, PacketFilter filter);
    // Adds a rule before all others (`ignore_dns`).
    void add_first(FilterProtocol protocol, PacketFilter filter);

    // False for packets of other transports: each rule names one of TCP, UDP and ICMP.
    // REQUIRES: packet.verdict == Ok.
    bool ignores(const sensor_packet::Packet& packet) const;

  private:
    struct List {
        std::vector<PacketFilter> filters;  // as they are tried
        std::size_t first = 0;              // where `log` rules are put in
    };
    std::array<List, 3> lists_;
};

}  // namespace portcullis::sensor_config
