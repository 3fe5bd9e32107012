#include "sensor/report/reporter.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/ascii.hpp"
#include "sensor/report/icmp_text.hpp"
#include "sensor/track/extent.hpp"

namespace portcullis::sensor_report {
namespace {

using sensor_detect::Observation;
using sensor_detect::ObservationType;

// iplog 2.2.3 writes an address alone if the name does not fit into its 256 bytes.
constexpr std::size_t kLongestIplogHost = 255;

void append_address(const base::IpAddress& address, std::string& out) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(address.is_v4() ? AF_INET : AF_INET6, address.data(), text.data(), text.size());
    out += text.data();
}

enum class Family { Tcp, Udp, Icmp, Ip };

Family family_of(const Observation& observation) {
    switch (observation.type) {
        case ObservationType::ConnectionAttempt:
        case ObservationType::BogusFlags:
        case ObservationType::ScannerIdentified:
            return Family::Tcp;
        case ObservationType::Datagram:
        case ObservationType::Traceroute:
            return Family::Udp;
        case ObservationType::EchoRequest:
        case ObservationType::EchoReply:
        case ObservationType::IcmpMessage:
            return Family::Icmp;
        case ObservationType::OverlappingFragments:
        case ObservationType::OverlappingFragmentsInserted:
        case ObservationType::DuplicateFragments:
        case ObservationType::OversizedFragment:
        case ObservationType::ShortPacket:
        case ObservationType::BadChecksum:
            return Family::Ip;
        case ObservationType::ScanDetected:
        case ObservationType::ScanExpired:
            break;
    }
    const std::string_view name = sensor_detect::detector_of(observation.kind).name;
    if (name.starts_with("TCP")) {
        return Family::Tcp;
    }
    if (name.starts_with("UDP")) {
        return Family::Udp;
    }
    return name.starts_with("ICMP") ? Family::Icmp : Family::Ip;
}

// The limit of lines per second is for lines about single packets.
bool is_about_one_packet(ObservationType type) {
    return type != ObservationType::ScanDetected && type != ObservationType::ScanExpired &&
           type != ObservationType::ScannerIdentified;
}

}  // namespace

void Reporter::write_host(const base::IpAddress& address, bool resolve, std::string& out) const {
    out.clear();
    std::string_view name = resolve ? hosts_.name_of(address) : std::string_view();
    if (name.empty() && resolve && host_lookup_ != nullptr) {
        name = host_lookup_->name_of(address);
    }
    if (name.empty()) {
        append_address(address, out);
        return;
    }
    out += name;
    // iplog 2.2.3 leaves the address out behind a name that ends in a digit.
    const bool is_bare = settings_.has_iplog_words && base::is_digit(name.back());
    if (settings_.log_address && !is_bare) {
        out += " (";
        append_address(address, out);
        out += ')';
    }
    if (settings_.has_iplog_words && out.size() > kLongestIplogHost) {
        out.clear();
        append_address(address, out);
    }
}

// One host, or "A,B,C" of several.
void Reporter::write_destinations(const Observation& observation, bool resolve) {
    if (observation.destinations.empty()) {
        write_host(observation.destination, resolve, destination_);
        return;
    }
    destination_.clear();
    for (const base::IpAddress& address : observation.destinations) {
        destination_ += destination_.empty() ? "" : ",";
        append_address(address, destination_);
    }
    // As with ports: there may be more addresses than a full list holds.
    destination_ +=
        observation.destinations.size() == sensor_detect::AddressList::kCapacity ? ",..." : "";
}

// One host, a network, "A, B, C", or "60 sources".
void Reporter::write_sources(const Observation& observation, bool resolve) {
    if (!observation.sources.empty()) {
        std::string host;
        source_.clear();
        for (const base::IpAddress& source : observation.sources) {
            write_host(source, resolve, host);
            source_ += source_.empty() ? "" : ", ";
            source_ += host;
        }
    } else if (observation.source_count > 0) {
        source_ = fmt::format("{} sources", observation.source_count);
    } else if (observation.source_prefix != 0) {
        source_.clear();
        append_address(observation.source, source_);
        fmt::format_to(std::back_inserter(source_), "/{}", observation.source_prefix);
    } else {
        write_host(observation.source, resolve, source_);
    }
}

void Reporter::write_service(Protocol protocol, std::uint16_t port) {
    service_.clear();
    const std::string_view name = services_.name_of(protocol, port);
    if (name.empty()) {
        fmt::format_to(std::back_inserter(service_), "port {}", port);
    } else {
        service_ += name;
    }
}

bool Reporter::resolves(const Observation& observation) const {
    const bool is_smurf = (observation.type == ObservationType::ScanDetected ||
                           observation.type == ObservationType::ScanExpired) &&
                          observation.kind == sensor_detect::ScanKind::Smurf;
    if (is_smurf) {
        return false;  // its source is a network
    }
    switch (family_of(observation)) {
        case Family::Tcp:
            return settings_.resolve_tcp && !(settings_.spares_names_in_flood && flood_.is_full());
        case Family::Udp:
            return settings_.resolve_udp;
        case Family::Icmp:
            return settings_.resolve_icmp;
        case Family::Ip:
            break;
    }
    return settings_.resolve_tcp || settings_.resolve_udp || settings_.resolve_icmp;
}

// Types and codes: RFC 792, 950, 1256.
bool Reporter::describe_icmp(const Observation& observation, bool resolve, Line& line) {
    const bool iplogs = settings_.has_iplog_words;
    const auto message =
        message_of(observation, iplogs ? sensor_packet::EmbeddedPayload::BehindTwentyBytes
                                       : sensor_packet::EmbeddedPayload::BehindOptions);
    if (!message) {
        return false;
    }
    line.icmp_type = message->type;
    line.icmp_code = message->code;
    subject_.clear();
    detail_.clear();
    switch (message->type) {
        case 3:
            if (message->complaint.destination != observation.source) {
                write_host(message->complaint.destination, resolve, subject_);
            }
            detail_ = complaint_text(message->complaint);
            break;
        case 5:
            write_host(message->gateway, resolve, subject_);
            write_host(message->complaint.destination, resolve, detail_);
            break;
        case 9:
            detail_ = routers_text(*message);
            break;
        case 11:
            detail_ = complaint_text(message->complaint);
            break;
        case 12:
            detail_ = fmt::format("{}", message->pointer);
            break;
        case 14:
            detail_ = iplogs ? iplog_time_of_day(message->transmit_stamp)
                             : time_of_day(message->transmit_stamp, observation.time);
            break;
        case 18: {
            auto mask = message->mask;
            if (iplogs) {  // the wrong way round, and taken for a host
                std::reverse(mask.begin(), mask.end());
            }
            write_host(base::IpAddress::v4(mask), resolve && iplogs, detail_);
            break;
        }
        default:
            break;
    }
    line.subject = subject_;
    line.detail = detail_;
    return true;
}

void Reporter::note_flood(const Observation& observation) {
    if (observation.type != ObservationType::ScanExpired) {
        flood_.set_time(
            std::chrono::duration_cast<std::chrono::seconds>(observation.time.time_since_epoch())
                .count());
    }
    if (observation.type == ObservationType::ConnectionAttempt) {
        flood_.count_attempt();
    }
}

void Reporter::on_observation(const Observation& observation) {
    note_flood(observation);
    if (is_about_one_packet(observation.type) && !log_.admit_and_count(observation.time)) {
        return;
    }
    if (observation.type == ObservationType::ConnectionAttempt && ident_lookup_ != nullptr &&
        ident_lookup_->ask(observation)) {
        return;
    }
    if (observation.type == ObservationType::ScanDetected) {
        const auto place = log_.place_detection(
            observation.time,
            {observation.packets, observation.evidence == base::Evidence::Proven});
        was_detection_written_ = place == DetectionBudget::Place::Now;
        if (place == DetectionBudget::Place::Waits && compose(observation, {})) {
            log_.add_waiting(message_, observation.packets);
        }
        if (!was_detection_written_) {
            return;
        }
    }
    if ((observation.type == ObservationType::ScannerIdentified && !was_detection_written_) ||
        (observation.type == ObservationType::ScanExpired &&
         !log_.admit_and_count_end(observation.time))) {
        return;
    }
    write_line(observation, {});
}

void Reporter::report_attempt(const Observation& attempt, std::string_view user) {
    write_line(attempt, user);
}

bool Reporter::compose(const Observation& observation, std::string_view user) {
    const bool resolve = resolves(observation);
    Line line;
    line.type = observation.type;
    line.has_iplog_words = settings_.has_iplog_words;
    if (observation.type == ObservationType::IcmpMessage &&
        !describe_icmp(observation, resolve, line)) {
        return false;
    }
    write_sources(observation, resolve);
    line.source = source_;
    if (settings_.log_destination && observation.type != ObservationType::ScannerIdentified) {
        write_destinations(observation, resolve);
        line.destination = destination_;
    }
    if (observation.type == ObservationType::ConnectionAttempt) {
        write_service(Protocol::Tcp, observation.destination_port);
        line.service = service_;
    } else if (observation.type == ObservationType::Datagram) {
        write_service(Protocol::Udp, observation.destination_port);
        line.service = service_;
    }
    line.source_port = observation.source_port;
    line.destination_port = observation.destination_port;
    line.bytes = observation.bytes;
    line.packets = observation.type == ObservationType::ScanExpired ? observation.packets : 0;
    line.kind = observation.kind;
    line.destination_ports = observation.destination_ports;
    line.source_ports = observation.source_ports;
    line.tool = observation.tool;
    line.is_repeated = observation.is_repeated;
    line.evidence = observation.evidence;
    line.is_route_asymmetric = observation.is_route_asymmetric;
    line.has_partial_checksums = observation.has_partial_checksums;
    line.user = user;
    message_.clear();
    format_line(line, message_);
    return true;
}

void Reporter::write_line(const Observation& observation, std::string_view user) {
    if (!compose(observation, user)) {
        return;
    }
    log_.add(observation.time, message_);
    if (observation.type == ObservationType::ScanDetected) {
        log_.flush();
    }
}

}  // namespace portcullis::sensor_report
