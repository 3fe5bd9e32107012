// Kernel filter: the program that decides in the kernel which frames reach the sensor.
//
// Bulk traffic stays out: a segment of an established connection (ACK, perhaps PSH, nothing else)
// carries nothing that a detector uses. These pass, in both directions:
// - TCP with SYN, FIN, RST or URG, or without ACK, and TCP headers cut short. A lone ACK passes
//   only with sequence number 0, as nmap sends it. An ACK scan is detected by our RSTs.
// - UDP, ICMP, ICMPv6, fragments, IPv6 with extension headers.
// - SCTP whose first chunk begins or refuses an association or ends its shutdown: INIT, INIT ACK,
//   ABORT, COOKIE ECHO, COOKIE ACK, SHUTDOWN COMPLETE (RFC 9260 section 3.2); headers cut short.
// - Other IP protocols, except those that carry bulk: IPv4, IPv6, GRE, ESP, IPIP, EtherIP, L2TP,
//   MPLS, and AH over IPv4.
// - With FilterSettings::arp: ARP requests.
//
// The IP header is found behind up to kMaxFilteredHeaders headers of link.hpp (VLAN and other tags,
// MACsec without encryption), then LLC, PPPoE or up to kMaxFilteredLabels MPLS labels. Behind more
// of them a frame passes unseen, unless only packets of ours are wanted: no host takes such frames,
// and the addresses in them could be forged. Of Ppp and PppoeSession, which no interface of Linux
// shows, every frame passes.
//
// A classic BPF program (Documentation/networking/filter.rst), made by hand because libpcap's
// expressions cannot say how much of which frame is wanted. Plain functions, thread-safe.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <vector>

#include "base/ip_address.hpp"
#include "sensor/packet/link.hpp"

namespace portcullis::sensor_capture {

struct FilterSettings {
    bool tcp = true;
    bool udp = true;
    // Passes TCP with ECE or CWR and any other flags, because iplog 2.2.3 calls that bogus.
    bool congestion_flags = false;
    // The addresses of our host. An inbound packet with one of them as its source (except on the
    // loopback) is forged and does not pass, so that nobody can answer their own probes in our
    // name. Empty = not known: everything passes.
    std::vector<base::IpAddress> ours;
    // Pass only packets from or to `ours`; false in promisc mode.
    bool only_ours = true;
    // Pass SCTP and all IP protocols except TCP, UDP, ICMP and ICMPv6. iplog 2.2.3 ignores all of
    // them.
    bool other_protocols = true;
    bool arp = false;
    // False where another source shows what PPPoE or MACsec carry here.
    bool pppoe = true;
    bool macsec = true;
    // Identifiers of VLANs whose frames are seen by another source too.
    std::vector<std::uint16_t> other_vlans;

    bool operator==(const FilterSettings&) const = default;
};

// Bytes of a frame that are kept. Of a plain frame all headers; of fragments, extension headers and
// ICMPv6 errors a whole Ethernet frame, because headers can be anywhere in it.
inline constexpr std::uint32_t kShortSnapshot = 192;
inline constexpr std::uint32_t kLongSnapshot = 1536;

// Most addresses in the program. More of them would make it long and slow: then `only_ours` is
// ignored, and forged packets pass.
inline constexpr std::size_t kMaxFilteredAddresses = 32;

inline constexpr std::uint32_t kMaxFilteredHeaders = 5;
inline constexpr std::uint32_t kMaxFilteredLabels = 4;

std::vector<sock_filter> kernel_filter(sensor_packet::LinkType link,
                                       const FilterSettings& settings);

}  // namespace portcullis::sensor_capture
