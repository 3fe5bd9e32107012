// Handshakes: sources that have proven lately that they own their address.
//
// The sender of a forged address never sees our answer. So the address of a source is proven when
// - a segment of it acknowledges the sequence number of our SYN+ACK exactly. To guess it takes 2^32
//   attempts, as for TCP itself (RFC 6528); or
// - we send a FIN in a connection for which we sent a SYN+ACK: our TCP sends one only after the
//   handshake. A live capture needs this, because the kernel filter drops bare ACKs and data; or
// - we accept its SCTP cookie (RFC 9260 section 5.1.5).
// A RST without ACK contains nothing of ours. A RST with ACK may be sent by a packet filter in
// front of a host that asked for nothing (scan_tracker.cpp). Connections that we opened do not
// count either: it is easy to guess which hosts we connect to (database, mail relay, name server),
// so a scan forged in their name would be called proven because of unrelated traffic.
//
// Bounded: 16 384 handshakes that wait for their end, and 65 536 proven sources; the oldest one of
// a full bucket is replaced, and its source counts as forgeable again. Single-threaded; no
// allocation after the constructor.
#pragma once

#include <cstdint>

#include "base/ip_address.hpp"
#include "base/keyed_hash.hpp"
#include "sensor/track/flow_memory.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/recent_keys.hpp"

namespace portcullis::sensor_track {

// Time for which a handshake proves the address of a source, in seconds.
inline constexpr std::uint32_t kProofMemory = 600;

class Handshakes {
  public:
    static constexpr std::size_t kMostOffers = 16384;
    static constexpr std::size_t kMostProven = 65536;

    Handshakes() : offers_(kMostOffers / 4), proven_(kMostProven / 4) {}

    // We sent a SYN+ACK with that sequence number. In all calls `second` counts from 1970.
    void note_offer(const Flow& flow, std::uint32_t sequence, Second second) {
        offers_.note(key_of(flow), second, sequence + 1);
    }
    // False if no handshake waits for its end: complete() and confirm() return false then.
    bool has_offers() const { return !offers_.is_empty(); }
    // A segment of the source with ACK and without SYN arrived. Returns true if it completes a
    // handshake of the last kProofMemory seconds: its source is proven from now on.
    bool complete(const Flow& flow, std::uint32_t acknowledgement, Second second);
    // We sent a FIN. Returns as complete() does.
    bool confirm(const Flow& flow, Second second);
    void note_proof(const base::IpAddress& source, Second second) {
        proven_.note(hash_.of(source), second);
    }

    // True if the source completed a handshake within the `max_age` seconds before `second`.
    bool is_proven(const base::IpAddress& source, Second second,
                   std::uint32_t max_age = kProofMemory) const {
        return !proven_.is_empty() && proven_.knows(hash_.of(source), second, max_age);
    }
    void clear() {
        offers_.clear();
        proven_.clear();
    }

  private:
    std::uint64_t key_of(const Flow& flow) const {
        return hash_.of(flow.ours, flow.theirs,
                        (std::uint64_t{flow.our_port} << 16) | flow.their_port);
    }

    base::KeyedHash hash_;
    RecentKeys offers_;  // value: the number that the source must acknowledge
    RecentKeys proven_;
};

}  // namespace portcullis::sensor_track
