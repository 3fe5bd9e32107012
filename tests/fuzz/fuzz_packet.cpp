// Any bytes as a frame of any link type: no read beyond the end, and what is called Ok holds
// together.
#include <cstdlib>
#include <vector>

#include "sensor/packet/icmp_message.hpp"
#include "sensor/packet/link.hpp"

using namespace portcullis::sensor_packet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A copy of its own, so that AddressSanitizer sees the very end.
    const std::vector<std::uint8_t> frame(data, data + size);
    for (const LinkType link : {LinkType::Ethernet, LinkType::RawIp, LinkType::LinuxCooked,
                                LinkType::LinuxCooked2, LinkType::Null, LinkType::Loop,
                                LinkType::Ppp, LinkType::PppoeSession, LinkType::CiscoHdlc}) {
        PacketView view;
        const Packet packet = parse_frame(link, frame, view);
        const std::span<const std::uint8_t> seen =
            packet.verdict == Verdict::Fragment ? view.fragment.bytes : view.payload;
        if (!seen.empty() && (seen.data() < frame.data() ||
                              seen.data() + seen.size() > frame.data() + frame.size() ||
                              seen.size() > packet.payload_length)) {
            std::abort();
        }
        if (packet.verdict != Verdict::Ok) {
            continue;
        }
        solicited_address(packet);
        const bool is_tcp_right =
            packet.transport != Transport::Tcp ||
            (packet.tcp_header_length >= 20 &&
             packet.tcp_header_length + std::uint32_t{packet.tcp_data_length} ==
                 packet.payload_length);
        const bool is_rest_right = has_ports(packet.transport) ||
                                   (packet.source_port == 0 && packet.destination_port == 0);
        const bool is_udp_right = packet.transport != Transport::Udp ||
                                  packet.udp_data_length + 8U <= packet.payload_length;
        if (!is_tcp_right || !is_udp_right || !is_rest_right || packet.payload_length > 65535) {
            std::abort();
        }
    }
    return 0;
}
