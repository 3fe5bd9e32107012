// Reassembly: takes pieces of datagrams, returns whole datagrams and the faults of the pieces.
//
// Between parse_frame() and the detectors: a scan that is cut into fragments must be detected like
// any other. This is the common interface of Reassembler (which does what a host does) and
// CompatReassembler (which does what iplog 2.2.3 did). Single-threaded; `now` comes with each call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.hpp"
#include "sensor/packet/packet.hpp"

namespace portcullis::sensor_packet {

enum class FragmentEvent : std::uint8_t {
    None,
    Overlapping,
    OverlappingInserted,  // iplog's second branch, with another wording; CompatReassembler alone
    Duplicate,
    Oversized,
};

struct FragmentResult {
    // The fault of the piece, if any; a complete datagram may have one too.
    FragmentEvent event = FragmentEvent::None;
    // True if the piece completed the datagram: `packet` and `view` are those of the datagram, as
    // parse_frame() would have returned them, with any verdict. TTL and DF are those of the piece
    // at offset 0.
    bool is_complete = false;
    Packet packet;
    PacketView view;  // valid until the next call
};

struct ReassemblyCounters {
    std::uint64_t completed = 0;
    std::uint64_t discarded = 0;  // datagrams with an overlap, or that would be too long
    std::uint64_t malformed = 0;  // pieces without length, or that contradict the end
    std::uint64_t expired = 0;    // datagrams that stayed incomplete
    std::uint64_t evicted = 0;    // incomplete ones that had to make room
};

class Reassembly {
  public:
    virtual ~Reassembly() = default;
    // REQUIRES: piece.verdict == Fragment, `fragment` came with it.
    virtual FragmentResult add(const Packet& piece, const Fragment& fragment,
                               base::Timestamp now) = 0;
    virtual ReassemblyCounters counters() const = 0;
};

// The first bytes of a datagram, which contain all headers. It drops bytes behind `limit` and knows
// which bytes were captured.
class DatagramHead {
  public:
    // For IPv4: enough for the longest TCP header, or an ICMP error with the packet it complains
    // about.
    static constexpr std::size_t kIpv4Limit = 512;
    // For IPv6: enough for extension headers as well. They must be in the first piece (RFC 7112),
    // which fits into an Ethernet frame.
    static constexpr std::size_t kLimit = 2048;

    // Adds bytes; bytes that are known already stay. `offset`: a multiple of 8.
    void add(std::uint32_t offset, std::span<const std::uint8_t> bytes, bool is_last,
             std::size_t limit);
    // The known bytes from the start up to the first unknown one.
    std::span<const std::uint8_t> known(std::uint32_t length) const;
    // False if a byte is known that differs from `bytes` at `offset`.
    bool agrees(std::uint32_t offset, std::span<const std::uint8_t> bytes) const;
    std::size_t memory() const { return bytes_.capacity() + known_.capacity(); }

  private:
    static constexpr std::size_t kBlock = 8;
    std::vector<std::uint8_t> bytes_;
    std::vector<bool> known_;  // per block of 8 bytes
};

}  // namespace portcullis::sensor_packet
