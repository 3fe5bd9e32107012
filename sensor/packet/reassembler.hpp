// Reassembler: datagrams from fragments, as a host puts them together.
//
// It accepts what Linux accepts, so that it does not miss a probe which the host answers. A piece
// inside of the received bytes is ignored, and the first bytes stay. A piece that overlaps
// otherwise, or contradicts the end, drops the whole datagram (RFC 5722; for IPv4 too). Both are
// reported once per datagram, in any order of the pieces. A complete datagram is remembered for two
// seconds, so that a piece which comes again after all others is reported as well.
//
// Single-threaded. Bounded in datagrams and in bytes: the datagram that was quiet for the longest
// time is evicted.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/keyed_hash.hpp"
#include "sensor/packet/reassembly.hpp"

namespace portcullis::sensor_packet {

struct ReassemblyLimits {
    std::size_t datagrams = 4096;
    std::size_t bytes = std::size_t{4} * 1024 * 1024;  // of contents and ranges
    // RFC 791, RFC 8200 section 4.5: from the first piece that came.
    std::chrono::seconds lifetime{60};
};

class Reassembler final : public Reassembly {
  public:
    explicit Reassembler(const ReassemblyLimits& limits = {});

    FragmentResult add(const Packet& piece, const Fragment& fragment, base::Timestamp now) override;
    ReassemblyCounters counters() const override { return counters_; }

    // Datagrams that are remembered, complete or not.
    std::size_t size() const { return size_; }
    std::size_t memory() const { return memory_; }

  private:
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

    // Bytes [begin, end) of a datagram.
    struct Range {
        std::uint16_t begin = 0;
        std::uint16_t end = 0;
    };

    struct Key {
        base::IpAddress source;
        base::IpAddress destination;
        std::uint32_t identification = 0;
        std::uint8_t protocol = 0;  // of IPv4; RFC 8200 leaves it out
        bool operator==(const Key&) const = default;
    };

    struct Datagram {
        Key key;
        Packet first;  // the piece at offset 0, if `has_first`
        std::uint8_t protocol = 0;
        bool has_first = false;
        bool has_end = false;
        bool is_complete = false;
        bool is_reported = false;
        std::uint32_t end = 0;       // of the last piece, or of what came so far
        std::uint32_t received = 0;  // sum of the ranges
        base::Timestamp started;     // by its first piece; complete: by its last
        std::vector<Range> ranges;   // disjoint, ascending
        DatagramHead head;
        std::size_t memory = 0;  // of ranges and head, as it was accounted for
        std::uint32_t next_in_bucket = kNone;
        std::uint32_t older = kNone;
        std::uint32_t newer = kNone;
    };

    // Position of a piece relative to the ranges received so far.
    enum class Fit : std::uint8_t {
        Free,       // overlaps no piece
        Same,       // is one of them
        Inside,     // is inside of adjoining ranges
        Conflicts,  // overlaps otherwise
    };
    // `at`: the first range that ends behind the beginning of `piece`.
    static Fit fit_of(const Datagram& datagram, Range piece, std::size_t& at);

    std::uint32_t& bucket_of(const Key& key);
    std::uint32_t find(const Key& key);
    std::uint32_t obtain(const Key& key, base::Timestamp now);
    void mark_used(std::uint32_t index);
    void unlink(std::uint32_t index);
    void link_newest(std::uint32_t index);
    void remove(std::uint32_t index);
    void make_room(std::uint32_t kept);
    void account(Datagram& datagram);
    bool is_over(const Datagram& datagram, base::Timestamp now) const;
    // Handles a piece of a datagram that is complete already, or begins a new datagram with it.
    static FragmentEvent compare_with_complete(const Datagram& datagram, Range piece,
                                               const Fragment& fragment);

    ReassemblyLimits limits_;
    base::KeyedHash hash_;
    std::vector<Datagram> datagrams_;
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> buckets_;
    std::uint32_t oldest_ = kNone;
    std::uint32_t newest_ = kNone;
    std::size_t size_ = 0;
    std::size_t memory_ = 0;
    ReassemblyCounters counters_;
};

}  // namespace portcullis::sensor_packet
