// A script of fragments for both ways to put them together: no read beyond a piece, the limits
// hold, and what is called complete holds together. Per piece: flags, identification, two bytes
// offset, two bytes length, then at most 16 bytes that were captured.
#include <algorithm>
#include <cstdlib>

#include "sensor/packet/compat_reassembler.hpp"
#include "sensor/packet/reassembler.hpp"

using namespace portcullis::sensor_packet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Reassembler reassembler({4, 8192, std::chrono::seconds(60)});
    CompatReassembler compat;
    portcullis::base::Timestamp now{std::chrono::seconds(1'700'000'000)};
    for (std::size_t at = 0; size - at >= 6;) {
        const std::uint8_t* piece = data + at;
        Packet packet;
        packet.source = (piece[0] & 1) != 0 ? portcullis::base::IpAddress::v6({0xfd, 1})
                                            : portcullis::base::IpAddress::v4({10, 0, 0, 1});
        Fragment fragment;
        fragment.more_follow = (piece[0] & 2) != 0;
        fragment.protocol = (piece[0] & 4) != 0 ? 6 : (piece[0] & 8) != 0 ? 60 : 17;
        fragment.identification = piece[1] % 8;
        fragment.offset = (piece[2] * 256U + piece[3]) & 0xfff8U;
        fragment.length = piece[4] * 256U + piece[5];
        now += std::chrono::milliseconds((piece[0] >> 4) * 200);
        const auto captured =
            std::min({std::size_t{fragment.length}, std::size_t{16}, size - at - 6});
        // A copy of its own, so that AddressSanitizer sees the very end.
        const std::vector<std::uint8_t> bytes(piece + 6, piece + 6 + captured);
        fragment.bytes = bytes;
        at += 6 + captured;
        for (Reassembly* reassembly : std::initializer_list<Reassembly*>{&reassembler, &compat}) {
            const auto result = reassembly->add(packet, fragment, now);
            const bool is_right =
                !result.is_complete || (result.packet.verdict != Verdict::Fragment &&
                                        result.view.payload.size() <= result.packet.payload_length);
            if (!is_right || reassembler.size() > 4 || reassembler.memory() > 8192 + 40000) {
                std::abort();
            }
        }
    }
    return 0;
}
