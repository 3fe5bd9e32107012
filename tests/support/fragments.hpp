// Fragments: pieces of a datagram as parse_frame() would give them, for tests of the reassembly.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sensor/packet/reassembly.hpp"
#include "tests/support/frames.hpp"

namespace portcullis::test {

inline base::Timestamp at_second(double second) {
    return base::Timestamp(std::chrono::nanoseconds(
        static_cast<std::int64_t>((1'700'000'000.0 + second) * 1e3) * 1'000'000));
}

// Sends pieces of `content`; both must outlive the results.
class FragmentSender {
  public:
    FragmentSender(sensor_packet::Reassembly& reassembly, Frame content, bool is_v4 = true,
                   std::uint8_t protocol = 6)
        : reassembly_(reassembly), content_(std::move(content)) {
        piece_.verdict = sensor_packet::Verdict::Fragment;
        piece_.source = *base::IpAddress::parse(is_v4 ? "10.10.150.1" : "fd00::1");
        piece_.destination = *base::IpAddress::parse(is_v4 ? "10.10.150.2" : "fd00::2");
        fragment_.identification = 4660;
        fragment_.protocol = protocol;
    }

    sensor_packet::Packet& piece() { return piece_; }
    sensor_packet::Fragment& fragment() { return fragment_; }
    Frame& content() { return content_; }

    // The bytes [begin, end) of the content, which is continued by zeros; `captured`: how many of
    // them were.
    sensor_packet::FragmentResult send(std::uint32_t begin, std::uint32_t end, bool more_follow,
                                       double second = 0, std::size_t captured = 65535) {
        bytes_.assign(end - begin, 0);
        for (std::uint32_t at = begin; at < end && at < content_.size(); ++at) {
            bytes_[at - begin] = content_[at];
        }
        fragment_.offset = begin;
        fragment_.length = end - begin;
        fragment_.more_follow = more_follow;
        fragment_.bytes = std::span(bytes_).first(std::min(bytes_.size(), captured));
        return reassembly_.add(piece_, fragment_, at_second(second));
    }

  private:
    sensor_packet::Reassembly& reassembly_;
    Frame content_;
    Frame bytes_;
    sensor_packet::Packet piece_;
    sensor_packet::Fragment fragment_;
};

}  // namespace portcullis::test
