// ChecksumsSeen: whether packets had whole or partial checksums. A value of one byte.
#pragma once

#include <cstdint>

namespace portcullis::sensor_track {

struct ChecksumsSeen {
    std::uint8_t bits = 0;  // 1: whole or not known, 2: partial

    void add(bool is_partial) {
        bits = static_cast<std::uint8_t>(bits | (1U << static_cast<unsigned>(is_partial)));
    }
    void add(ChecksumsSeen other) { bits |= other.bits; }
    // False if there was no packet.
    bool are_all_partial() const { return bits == 2; }
};

}  // namespace portcullis::sensor_track
