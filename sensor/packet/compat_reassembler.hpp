// CompatReassembler: fragments as iplog 2.2.3 treats them, for logs that are the same byte by byte.
//
// Source: iplog 2.2.3, specification section 5.9. Its faults are kept: every line drops the
// datagram, an overlap with the following piece is missed, a datagram is complete when the byte
// counts add up, and incomplete datagrams are dropped when a new second begins. Its buffer overflow
// is not kept: nothing is read or written outside of a buffer. Single-threaded.
#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "sensor/packet/reassembly.hpp"

namespace portcullis::sensor_packet {

class CompatReassembler final : public Reassembly {
  public:
    FragmentResult add(const Packet& piece, const Fragment& fragment, base::Timestamp now) override;
    ReassemblyCounters counters() const override { return counters_; }

  private:
    // iplog has 32 buckets of 5. The specification does not say which datagrams share a bucket.
    static constexpr std::size_t kMaxDatagrams = 160;

    struct Piece {
        std::uint32_t begin = 0;
        std::uint32_t end = 0;
    };
    struct Datagram {
        base::IpAddress source;
        base::IpAddress destination;
        std::uint32_t identification = 0;
        std::uint8_t protocol = 0;
        Packet first;
        bool has_first = false;
        bool has_last = false;
        std::uint32_t end = 0;  // of the last piece
        std::uint32_t received = 0;
        std::vector<Piece> pieces;  // ascending by `begin`
        DatagramHead head;
    };
    using Place = std::list<Datagram>::iterator;

    Place obtain(const Packet& piece, const Fragment& fragment);
    // Adds the piece. If it returns an event, the piece was not added.
    static FragmentEvent insert(Datagram& datagram, Piece piece);

    std::list<Datagram> datagrams_;  // by age
    Datagram complete_;              // the last one: results have views of it
    std::int64_t second_ = 0;
    ReassemblyCounters counters_;
};

}  // namespace portcullis::sensor_packet
