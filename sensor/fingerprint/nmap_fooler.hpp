// NmapFooler: spoils the guess of nmap -O at our operating system (`fool_nmap`).
//
// nmap -O sends packets that no connection has, and compares the answers with its fingerprints.
// Each such probe to an address of ours gets one segment of garbage, no longer than the probe. Its
// checksum is wrong: nmap reads it on the wire, but the TCP of any other peer drops it. Probes can
// be forged, so AnswerLimit limits the answers. IPv4 only. The socket is opened only if `fool_nmap`
// is on. Single-threaded, never waits.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "sensor/packet/packet.hpp"

namespace portcullis::sensor_fingerprint {

// The probes that iplog 2.2.3 answers (spec section 7): ECE or CWR, PSH alone, no flag, SYN, FIN or
// RST with URG, SYN with FIN or RST. REQUIRES: packet.transport == Tcp.
bool is_fingerprint_probe(const sensor_packet::Packet& packet);

// An IPv4 packet without options, 40 bytes: the answer to `probe`. Always a RST, so that the sensor
// itself, which sees it go out, takes the port for closed. `random`: the content of the garbage.
std::array<std::uint8_t, 40> garbage_answer(const sensor_packet::Packet& probe,
                                            std::uint64_t random);

// Limits the answers per second, per source and in all. Bounded: the sources of one second.
class AnswerLimit {
  public:
    static constexpr std::uint8_t kPerSource = 8;
    static constexpr std::uint16_t kInAll = 64;

    // Returns true if one more answer to `source` may be sent at `now`, and counts it.
    bool admit_and_count(const base::IpAddress& source, base::Timestamp now);

  private:
    struct Entry {
        base::IpAddress source;
        std::uint8_t answers = 0;
    };
    std::array<Entry, kInAll> entries_;  // no more sources than answers
    std::size_t used_ = 0;
    std::uint16_t answers_ = 0;
    std::int64_t second_ = 0;
};

class NmapFooler {
  public:
    // Opens the raw socket: needs CAP_NET_RAW. Error "no-raw-socket".
    static base::Result<std::unique_ptr<NmapFooler>> open();

    // Answers a TCP packet to one of our own addresses if it is a fingerprinting probe and the
    // limit permits it.
    void on_packet(const sensor_packet::Packet& packet, base::Timestamp now);

    std::uint64_t answers() const { return answers_; }

  private:
    explicit NmapFooler(base::UniqueFd socket);

    base::UniqueFd socket_;
    AnswerLimit limit_;
    std::mt19937_64 random_;
    std::uint64_t answers_ = 0;
};

}  // namespace portcullis::sensor_fingerprint
