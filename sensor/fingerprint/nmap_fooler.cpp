#include "sensor/fingerprint/nmap_fooler.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace portcullis::sensor_fingerprint {
namespace {

using sensor_packet::kAck;
using sensor_packet::kCwr;
using sensor_packet::kEce;
using sensor_packet::kFin;
using sensor_packet::kPsh;
using sensor_packet::kRst;
using sensor_packet::kSyn;
using sensor_packet::kUrg;
using sensor_packet::Packet;

constexpr std::size_t kIpHeader = 20;

void put16(std::uint8_t* at, std::uint64_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}
void put32(std::uint8_t* at, std::uint64_t value) {
    put16(at, value >> 16);
    put16(at + 2, value);
}

// RFC 1071.
std::uint16_t checksum(const std::uint8_t* bytes, std::size_t size, std::uint32_t sum) {
    for (std::size_t at = 0; at + 1 < size; at += 2) {
        sum += static_cast<std::uint32_t>((bytes[at] << 8) | bytes[at + 1]);
    }
    while ((sum >> 16) != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}

}  // namespace

bool is_fingerprint_probe(const Packet& packet) {
    const std::uint8_t flags = packet.tcp_flags;
    const auto has = [&](std::uint8_t flag) { return (flags & flag) != 0; };
    return has(kEce) || has(kCwr) || flags == kPsh || flags == 0 ||
           (has(kUrg) && (has(kSyn) || has(kFin) || has(kRst))) ||
           (has(kSyn) && (has(kFin) || has(kRst)));
}

std::array<std::uint8_t, 40> garbage_answer(const Packet& probe, std::uint64_t random) {
    std::array<std::uint8_t, 40> packet{};
    std::uint8_t* const ip = packet.data();
    std::uint8_t* const tcp = ip + kIpHeader;
    ip[0] = 0x45;
    put16(ip + 2, packet.size());
    put16(ip + 4, random);                       // id
    ip[6] = (random & 0x10000) != 0 ? 0x40 : 0;  // DF
    ip[8] = 255;                                 // TTL
    ip[9] = IPPROTO_TCP;
    std::copy_n(probe.destination.data(), 4, ip + 12);
    std::copy_n(probe.source.data(), 4, ip + 16);
    put16(ip + 10, checksum(ip, kIpHeader, 0));
    put16(tcp, probe.destination_port);
    put16(tcp + 2, probe.source_port);
    put32(tcp + 4, random * 0x9e3779b97f4a7c15ULL >> 32);
    put32(tcp + 8, random >> 17);
    tcp[12] = 0x50;  // twenty bytes
    // Two bits of four that nothing ordinary has with a RST.
    constexpr std::array<std::uint8_t, 4> kOdd{kUrg | kPsh, kFin | kUrg, kFin | kPsh | kAck,
                                               kPsh | kUrg | kAck};
    tcp[13] = static_cast<std::uint8_t>(kRst | kOdd[(random >> 20) % kOdd.size()]);
    put16(tcp + 14, random >> 33);
    std::uint32_t pseudo = IPPROTO_TCP + 20;
    for (std::size_t at = 12; at < kIpHeader; at += 2) {
        pseudo += static_cast<std::uint32_t>((ip[at] << 8) | ip[at + 1]);
    }
    // Whatever would be right, this is wrong; and not 0 or 0xffff, which are the same.
    const std::uint16_t right = checksum(tcp, 20, pseudo);
    put16(tcp + 16, right ^ 0x5555U);
    return packet;
}

bool AnswerLimit::admit_and_count(const base::IpAddress& source, base::Timestamp now) {
    const std::int64_t second =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    if (second != second_) {
        second_ = second;
        used_ = 0;
        answers_ = 0;
    }
    if (answers_ >= kInAll) {
        return false;
    }
    auto* const end = entries_.begin() + used_;
    auto* entry = std::find_if(entries_.begin(), end,
                               [&](const Entry& known) { return known.source == source; });
    if (entry == end) {
        *entry = {source, 0};
        ++used_;
    }
    if (entry->answers >= kPerSource) {
        return false;
    }
    ++entry->answers;
    ++answers_;
    return true;
}

NmapFooler::NmapFooler(base::UniqueFd socket)
    : socket_(std::move(socket)), random_(std::random_device{}()) {}

base::Result<std::unique_ptr<NmapFooler>> NmapFooler::open() {
    base::UniqueFd socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW));
    if (!socket) {
        return base::fail("no-raw-socket",
                          fmt::format("fool_nmap has no raw socket: {}", base::error_text(errno)));
    }
    return std::unique_ptr<NmapFooler>(new NmapFooler(std::move(socket)));
}

void NmapFooler::on_packet(const Packet& packet, base::Timestamp now) {
    if (!packet.source.is_v4() || !is_fingerprint_probe(packet) ||
        !limit_.admit_and_count(packet.source, now)) {
        return;
    }
    const auto answer = garbage_answer(packet, random_());
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::memcpy(&to.sin_addr, packet.source.data(), 4);
    if (::sendto(socket_.get(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&to), sizeof to) > 0) {
        ++answers_;
    }
}

}  // namespace portcullis::sensor_fingerprint
