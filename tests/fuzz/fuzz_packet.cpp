// Any bytes as a frame: no read beyond the end, and what is called Ok holds together.
#include <cstdlib>
#include <vector>

#include "sensor/packet/packet.hpp"

using namespace portcullis::sensor_packet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A copy of its own, so that AddressSanitizer sees the very end.
    const std::vector<std::uint8_t> frame(data, data + size);
    for (const Packet& packet : {parse_ethernet(frame), parse_ip(frame)}) {
        if (packet.verdict != Verdict::Ok) {
            continue;
        }
        const bool is_tcp_right =
            packet.transport != Transport::Tcp ||
            (packet.tcp_header_length >= 20 && packet.tcp_header_length <= packet.payload_length);
        const bool is_udp_right = packet.transport != Transport::Udp ||
                                  packet.udp_data_length + 8U <= packet.payload_length;
        if (!is_tcp_right || !is_udp_right || packet.payload_length > 65535) {
            std::abort();
        }
    }
    return 0;
}
