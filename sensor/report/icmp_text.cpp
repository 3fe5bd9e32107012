#include "sensor/report/icmp_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <string_view>

namespace portcullis::sensor_report {
namespace {

using sensor_packet::Complaint;
using sensor_packet::IcmpMessage;

constexpr std::uint8_t kProtoIcmp = 1;
constexpr std::uint8_t kProtoIcmpv6 = 58;

struct ProtocolName {
    std::uint8_t number;
    std::string_view name;
};

// The names of Debian 12's /etc/protocols, so that a line does not depend on the packages of a
// host.
constexpr ProtocolName kProtocols[] = {
    {0, "ip"},
    {1, "icmp"},
    {2, "igmp"},
    {3, "ggp"},
    {4, "ipencap"},
    {5, "st"},
    {6, "tcp"},
    {8, "egp"},
    {9, "igp"},
    {12, "pup"},
    {17, "udp"},
    {20, "hmp"},
    {22, "xns-idp"},
    {27, "rdp"},
    {29, "iso-tp4"},
    {33, "dccp"},
    {36, "xtp"},
    {37, "ddp"},
    {38, "idpr-cmtp"},
    {41, "ipv6"},
    {43, "ipv6-route"},
    {44, "ipv6-frag"},
    {45, "idrp"},
    {46, "rsvp"},
    {47, "gre"},
    {50, "esp"},
    {51, "ah"},
    {57, "skip"},
    {58, "ipv6-icmp"},
    {59, "ipv6-nonxt"},
    {60, "ipv6-opts"},
    {73, "rspf"},
    {81, "vmtp"},
    {88, "eigrp"},
    {89, "ospf"},
    {93, "ax.25"},
    {94, "ipip"},
    {97, "etherip"},
    {98, "encap"},
    {103, "pim"},
    {108, "ipcomp"},
    {112, "vrrp"},
    {115, "l2tp"},
    {124, "isis"},
    {132, "sctp"},
    {133, "fc"},
    {135, "mobility-header"},
    {136, "udplite"},
    {137, "mpls-in-ip"},
    {138, "manet"},
    {139, "hip"},
    {140, "shim6"},
    {141, "wesp"},
    {142, "rohc"},
    {143, "ethernet"},
};

// Row i is that of ICMP type i; empty: the number is written.
constexpr std::array<std::string_view, 19> kIcmpNames{
    "ICMP_ECHO_REPLY",
    "",
    "",
    "ICMP_DEST_UNREACHABLE",
    "ICMP_SOURCE_QUENCH",
    "ICMP_REDIRECT",
    "",
    "",
    "ICMP_ECHO",
    "ICMP_ROUTER_ADVERT",
    "ICMP_ROUTER_SOLICIT",
    "ICMP_TIME_EXCEEDED",
    "ICMP_PARAMETER_PROBLEM",
    "ICMP_TIMESTAMP",
    "ICMP_TIMESTAMP_REPLY",
    "ICMP_INFO_REQUEST",
    "ICMP_INFO_REPLY",
    "ICMP_ADDRESS_REQUEST",
    "ICMP_ADDRESS_REPLY",
};

// Types of ICMP.
constexpr std::uint8_t kUnreachable = 3;
constexpr std::uint8_t kRedirect = 5;
constexpr std::uint8_t kTimeExceeded = 11;
constexpr std::uint8_t kParameterProblem = 12;

struct Ipv6Type {
    std::uint8_t type;
    std::uint8_t code;
    std::uint8_t icmp_type;
    std::uint8_t icmp_code;
};
constexpr std::uint8_t kAnyCode = 255;

// RFC 4443. Other types have no line.
constexpr Ipv6Type kIpv6Types[] = {
    {1, 0, kUnreachable, 0},          // no route
    {1, 1, kUnreachable, 10},         // prohibited
    {1, 2, kUnreachable, 1},          // beyond the scope of the source
    {1, 3, kUnreachable, 1},          // address
    {1, 4, kUnreachable, 3},          // port
    {1, kAnyCode, kUnreachable, 13},  // policies, filters
    {2, kAnyCode, kUnreachable, 4},   // too big
    {3, kAnyCode, kTimeExceeded, 0}, {4, kAnyCode, kParameterProblem, 0},
};

std::string icmp_name(std::uint8_t type) {
    return type < kIcmpNames.size() && !kIcmpNames[type].empty() ? std::string(kIcmpNames[type])
                                                                 : fmt::format("{}", type);
}

std::string clock(std::time_t time) {
    std::tm local{};
    localtime_r(&time, &local);
    return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace

std::optional<IcmpMessage> message_of(const sensor_detect::Observation& observation,
                                      sensor_packet::EmbeddedPayload payload) {
    if (observation.source.is_v4()) {
        return sensor_packet::parse_icmp_message(observation.icmp, payload);
    }
    auto message = sensor_packet::parse_icmpv6_message(observation.icmp);
    if (!message) {
        return std::nullopt;
    }
    for (const Ipv6Type& row : kIpv6Types) {
        if (row.type == message->type && (row.code == message->code || row.code == kAnyCode)) {
            message->type = row.icmp_type;
            message->code = row.icmp_code;
            return message;
        }
    }
    return std::nullopt;
}

std::string complaint_text(const Complaint& complaint) {
    if (complaint.protocol == kProtoIcmp) {
        std::string text = "ICMP: " + icmp_name(complaint.icmp_type);
        if (complaint.icmp_type == kUnreachable || complaint.icmp_type == kRedirect) {
            fmt::format_to(std::back_inserter(text), " code {}", complaint.icmp_code);
        }
        return text;
    }
    if (complaint.protocol == kProtoIcmpv6 && !complaint.destination.is_v4()) {
        constexpr std::uint8_t kEcho = 128;
        return complaint.icmp_type == kEcho ? std::string("ICMP: ICMP_ECHO")
                                            : fmt::format("ICMP: {}", complaint.icmp_type);
    }
    const auto* const row =
        std::find_if(std::begin(kProtocols), std::end(kProtocols),
                     [&](const ProtocolName& name) { return name.number == complaint.protocol; });
    const std::string name = row != std::end(kProtocols)
                                 ? std::string(row->name)
                                 : fmt::format("proto {}", complaint.protocol);
    return fmt::format("{}: dest port {}, source port {}", name, complaint.destination_port,
                       complaint.source_port);
}

std::string routers_text(const IcmpMessage& message) {
    std::string text;
    for (std::size_t i = 0; i < message.router_count; ++i) {
        text += i == 0 ? "" : " -> ";
        text += message.routers[i].to_string();
    }
    constexpr std::uint16_t kMinute = 60;
    if (message.lifetime < kMinute) {
        fmt::format_to(std::back_inserter(text), " (lifetime {} sec)", message.lifetime);
    } else {
        fmt::format_to(std::back_inserter(text), " (lifetime {} min, {} sec)",
                       message.lifetime / kMinute, message.lifetime % kMinute);
    }
    return text;
}

std::string time_of_day(std::uint32_t milliseconds, base::Timestamp now) {
    constexpr std::int64_t kDay = 86400;
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    return clock(seconds / kDay * kDay + milliseconds / 1000 % kDay);
}

std::string iplog_time_of_day(std::uint32_t milliseconds) {
    return clock(static_cast<std::time_t>(milliseconds / 1000));
}

}  // namespace portcullis::sensor_report
