#include "sensor/report/line.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <span>

#include "sensor/report/icmp_line.hpp"

namespace portcullis::sensor_report {
namespace {

using sensor_detect::detector_of;
using sensor_detect::ObservationType;

auto to(std::string& out) { return std::back_inserter(out); }

// "a.b.c.d:port", "name (address):port"; an IPv6 address alone is bracketed (RFC 5952 section 6):
// without it, "fd00::1:22" would be an address itself.
void append_host_before_colon(std::string_view host, std::string& out) {
    const bool is_bare_ipv6 =
        host.find(':') != std::string_view::npos && host.find(' ') == std::string_view::npos;
    if (is_bare_ipv6) {
        out += '[';
        out += host;
        out += ']';
    } else {
        out += host;
    }
}

void append_endpoint(std::string_view host, std::uint16_t port, std::string& out) {
    append_host_before_colon(host, out);
    fmt::format_to(to(out), ":{}", port);
}

// "", " to T"
void append_destination(std::string_view destination, std::string& out) {
    if (!destination.empty()) {
        out += " to ";
        out += destination;
    }
}

// The word for the numbers of a kind.
std::string_view unit_of(sensor_detect::ScanKind kind) {
    return kind == sensor_detect::ScanKind::ProtocolScan ? "protocol" : "port";
}

// "", " [port 1]", " [ports 1,2]", or with dots if the list is full: more may have come.
template <std::size_t N>
void append_ports(std::string_view unit, const sensor_detect::PortList<N>& list, std::string& out) {
    if (list.size() == 0) {
        return;
    }
    fmt::format_to(to(out), " [{}{} {}", unit, list.size() == 1 ? "" : "s",
                   fmt::join(list.ports(), ","));
    out += list.is_full() ? ",...]" : "]";
}

void format_attempt(const Line& line, std::string& out) {
    fmt::format_to(to(out), "TCP: {} connection attempt", line.service);
    append_destination(line.destination, out);
    out += " from ";
    if (!line.user.empty()) {
        out += line.user;
        out += '@';
    }
    append_endpoint(line.source, line.source_port, out);
}

void format_bogus(const Line& line, std::string& out) {
    out += "TCP: Bogus TCP flags set by ";
    append_endpoint(line.source, line.source_port, out);
    if (line.destination.empty()) {
        fmt::format_to(to(out), " (dest port {})", line.destination_port);
    } else {
        out += " (dest ";
        append_endpoint(line.destination, line.destination_port, out);
        out += ')';
    }
}

void format_datagram(const Line& line, std::string& out) {
    out += "UDP: dgram to ";
    if (!line.destination.empty()) {
        append_host_before_colon(line.destination, out);
        out += ':';
    }
    fmt::format_to(to(out), "{} from ", line.service);
    append_endpoint(line.source, line.source_port, out);
    fmt::format_to(to(out), " ({} data bytes)", line.bytes);
}

void format_echo(std::string_view what, const Line& line, std::string& out) {
    fmt::format_to(to(out), "ICMP: {} from {}", what, line.source);
    append_destination(line.destination, out);
    fmt::format_to(to(out), " ({} bytes)", line.bytes);
}

// The notes in brackets at the end of a detection.
struct NoteRow {
    bool Line::*is_set;  // nullptr: the grade, which is `evidence`
    std::string_view text;
    base::Evidence evidence = base::Evidence::Forgeable;
};
constexpr NoteRow kNotes[] = {
    {&Line::is_repeated, "again"},
    {nullptr, word_of(base::Evidence::Proven), base::Evidence::Proven},
    {nullptr, word_of(base::Evidence::Forgeable), base::Evidence::Forgeable},
    {nullptr, word_of(base::Evidence::Doubtful), base::Evidence::Doubtful},
    {&Line::is_route_asymmetric, "asymmetric route"},
    {&Line::has_partial_checksums, "partial checksums"},
};

bool has_note(const Line& line, const NoteRow& row) {
    return row.is_set == nullptr ? line.evidence == row.evidence : line.*row.is_set;
}

void append_notes(const Line& line, std::string& out) {
    std::string_view before = " (";
    for (const NoteRow& row : kNotes) {
        if (has_note(line, row)) {
            out += before;
            out += row.text;
            before = ", ";
        }
    }
    out += before == ", " ? ")" : "";
}

void format_detected(const Line& line, std::string& out) {
    fmt::format_to(to(out), "{} detected", detector_of(line.kind).name);
    append_destination(line.destination, out);
    append_ports(unit_of(line.kind), line.destination_ports, out);
    fmt::format_to(to(out), " from {}", line.source);
    append_ports("port", line.source_ports, out);
    append_notes(line, out);
}

void format_expired(const Line& line, std::string& out) {
    fmt::format_to(to(out), "{} mode", detector_of(line.kind).name);
    append_destination(line.destination, out);
    fmt::format_to(to(out), " expired for {} - received a total of {} packets ({} bytes).",
                   line.source, line.packets, line.bytes);
}

void format_scanner(const Line& line, std::string& out) {
    fmt::format_to(to(out), "TCP: scanner {} looks like {}", line.source, line.tool);
}

// "WHAT from S", "WHAT to T from S"
struct IpRow {
    ObservationType type;
    std::string_view what;
    std::string_view what_with_destination;  // iplog uses other words then
};
constexpr IpRow kIpRows[] = {
    {ObservationType::OverlappingFragments, "Overlapping IP fragments", "Overlapping IP fragments"},
    {ObservationType::OverlappingFragmentsInserted, "Overlapping IP fragments",
     "Overlapping IP frags"},
    {ObservationType::DuplicateFragments, "Duplicate IP fragments", "Duplicate IP fragments"},
    {ObservationType::OversizedFragment, "Oversized IP fragment", "Oversized IP fragment"},
    {ObservationType::ShortPacket, "Short IP packet", "Short IP packet"},
    {ObservationType::BadChecksum, "IP packet with invalid checksum",
     "IP packet with invalid checksum"},
};

void format_ip(const Line& line, std::string& out) {
    for (const IpRow& row : kIpRows) {
        if (row.type == line.type) {
            out += line.destination.empty() ? row.what : row.what_with_destination;
            break;
        }
    }
    append_destination(line.destination, out);
    out += " from ";
    out += line.source;
}

// Reading: each take_ function removes text from the front (or from the back, if it says so) and
// returns whether the expected text was there.

bool take(std::string_view& text, std::string_view prefix) {
    if (text.substr(0, prefix.size()) != prefix) {
        return false;
    }
    text.remove_prefix(prefix.size());
    return true;
}

bool take_back(std::string_view& text, std::string_view suffix) {
    if (text.size() < suffix.size() || text.substr(text.size() - suffix.size()) != suffix) {
        return false;
    }
    text.remove_suffix(suffix.size());
    return true;
}

// Takes the text before `mark`, and removes the mark as well.
bool take_until(std::string_view& text, std::string_view mark, std::string_view& before) {
    const auto at = text.find(mark);
    if (at == std::string_view::npos) {
        return false;
    }
    before = text.substr(0, at);
    text.remove_prefix(at + mark.size());
    return true;
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || (text.size() > 1 && text[0] == '0' && end != text.data() + 1)) {
        return false;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

bool is_host(std::string_view host) {
    return !host.empty() && host.find_first_of("\n[]") == std::string_view::npos;
}

bool read_host(std::string_view text, std::string_view& host) {
    host = text;
    return is_host(host);
}

bool read_host_before_colon(std::string_view text, std::string_view& host) {
    if (take(text, "[")) {
        return take_back(text, "]") && text.find(':') != std::string_view::npos &&
               text.find(' ') == std::string_view::npos && read_host(text, host);
    }
    const bool is_bare_ipv6 =
        text.find(':') != std::string_view::npos && text.find(' ') == std::string_view::npos;
    return !is_bare_ipv6 && read_host(text, host);
}

bool read_endpoint(std::string_view text, std::string_view& host, std::uint16_t& port) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return false;
    }
    std::string_view digits = text.substr(colon + 1);
    return take_number(digits, port) && digits.empty() &&
           read_host_before_colon(text.substr(0, colon), host);
}

// `text` is exactly a port list in the form of append_ports().
template <std::size_t N>
bool read_ports(std::string_view unit, std::string_view text, sensor_detect::PortList<N>& list) {
    if (text.empty()) {
        return true;
    }
    if (!take(text, "[") || !take(text, unit)) {
        return false;
    }
    const bool is_one = take(text, " ");
    if ((!is_one && !take(text, "s ")) || !take_back(text, "]")) {
        return false;
    }
    const bool has_dots = take_back(text, ",...");
    do {
        std::uint16_t port = 0;
        if (!take_number(text, port) || !list.add(port)) {
            return false;
        }
    } while (take(text, ","));
    return text.empty() && is_one == (list.size() == 1) && has_dots == list.is_full();
}

// A port list at the end of `text`, with the blank before it, is cut off and read.
template <std::size_t N>
bool take_ports_back(std::string_view unit, std::string_view& text,
                     sensor_detect::PortList<N>& list) {
    const auto at = text.rfind(" [");
    if (at == std::string_view::npos) {
        return true;
    }
    const std::string_view ports = text.substr(at + 1);
    text = text.substr(0, at);
    return read_ports(unit, ports, list);
}

// The notes at the end of `text`, if what is in brackets there are notes; a host may end in
// brackets too.
bool take_notes_back(std::string_view& text, Line& line) {
    const auto at = text.rfind(" (");
    std::string_view notes = at == std::string_view::npos ? "" : text.substr(at + 2);
    if (!take_back(notes, ")")) {
        return true;
    }
    std::size_t taken = 0;
    for (const NoteRow& row : kNotes) {
        std::string_view rest = notes;
        if ((row.is_set != nullptr || !line.evidence) && (taken == 0 || take(rest, ", ")) &&
            take(rest, row.text)) {
            if (row.is_set == nullptr) {
                line.evidence = row.evidence;
            } else {
                line.*row.is_set = true;
            }
            notes = rest;
            ++taken;
        }
    }
    if (taken > 0) {
        text = text.substr(0, at);
    }
    return taken == 0 || notes.empty();
}

bool parse_attempt(std::string_view text, Line& line) {
    if (!take_until(text, " connection attempt", line.service) || line.service.empty()) {
        return false;
    }
    if (take(text, " to ") && (!take_until(text, " from ", line.destination) ||
                               !read_host(line.destination, line.destination))) {
        return false;
    }
    if (line.destination.empty() && !take(text, " from ")) {
        return false;
    }
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        line.user = text.substr(0, at);
        text.remove_prefix(at + 1);
        if (line.user.empty()) {
            return false;
        }
    }
    return read_endpoint(text, line.source, line.source_port);
}

bool parse_bogus(std::string_view text, Line& line) {
    std::string_view source;
    if (!take_until(text, " (dest ", source) ||
        !read_endpoint(source, line.source, line.source_port) || !take_back(text, ")")) {
        return false;
    }
    if (take(text, "port ")) {
        return take_number(text, line.destination_port) && text.empty();
    }
    return read_endpoint(text, line.destination, line.destination_port);
}

bool parse_datagram(std::string_view text, Line& line) {
    std::string_view target;
    if (!take_until(text, " from ", target) || !take_back(text, " data bytes)")) {
        return false;
    }
    const auto colon = target.rfind(':');
    if (colon != std::string_view::npos &&
        !read_host_before_colon(target.substr(0, colon), line.destination)) {
        return false;
    }
    line.service = colon == std::string_view::npos ? target : target.substr(colon + 1);
    const auto bracket = text.rfind(" (");
    if (bracket == std::string_view::npos || line.service.empty()) {
        return false;
    }
    std::string_view digits = text.substr(bracket + 2);
    return take_number(digits, line.bytes) && digits.empty() &&
           read_endpoint(text.substr(0, bracket), line.source, line.source_port);
}

bool parse_echo(std::string_view text, Line& line) {
    if (!take_back(text, " bytes)")) {
        return false;
    }
    const auto bracket = text.rfind(" (");
    if (bracket == std::string_view::npos) {
        return false;
    }
    std::string_view digits = text.substr(bracket + 2);
    text = text.substr(0, bracket);
    std::string_view source = text;
    if (take_until(text, " to ", source) && !read_host(text, line.destination)) {
        return false;
    }
    return take_number(digits, line.bytes) && digits.empty() && read_host(source, line.source);
}

bool parse_traceroute(std::string_view text, Line& line) {
    std::string_view source = text;
    if (take_until(text, " to ", source) && !read_host(text, line.destination)) {
        return false;
    }
    return read_host(source, line.source);
}

bool parse_detected(std::string_view text, Line& line) {
    if (!take_notes_back(text, line)) {
        return false;
    }
    std::string_view target;
    std::string_view source = text;
    if (take(source, "from ")) {
        target = {};
    } else if (!take_until(source, " from ", target)) {
        return false;
    }
    if (!take_ports_back("port", source, line.source_ports) || !read_host(source, line.source)) {
        return false;
    }
    if (take(target, "to ")) {
        return take_ports_back(unit_of(line.kind), target, line.destination_ports) &&
               read_host(target, line.destination);
    }
    return read_ports(unit_of(line.kind), target, line.destination_ports);
}

bool parse_scanner(std::string_view text, Line& line) {
    line.tool = text;
    return take_until(line.tool, " looks like ", line.source) &&
           read_host(line.source, line.source) && !line.tool.empty();
}

bool parse_expired(std::string_view text, Line& line) {
    if (take(text, "to ")) {
        if (!take_until(text, " expired for ", line.destination) ||
            !read_host(line.destination, line.destination)) {
            return false;
        }
    } else if (!take(text, "expired for ")) {
        return false;
    }
    std::string_view source;
    return take_until(text, " - received a total of ", source) && read_host(source, line.source) &&
           take_number(text, line.packets) && take(text, " packets (") &&
           take_number(text, line.bytes) && text == " bytes).";
}

bool parse_ip(std::string_view text, Line& line) {
    for (const IpRow& row : kIpRows) {
        std::string_view source = text;
        line.type = row.type;
        if (take(source, row.what) && take(source, " from ")) {
            return read_host(source, line.source);
        }
        source = text;
        if (take(source, row.what_with_destination) && take(source, " to ") &&
            take_until(source, " from ", line.destination)) {
            return read_host(line.destination, line.destination) && read_host(source, line.source);
        }
    }
    return false;
}

}  // namespace

void format_line(const Line& line, std::string& out) {
    switch (line.type) {
        case ObservationType::ConnectionAttempt:
            format_attempt(line, out);
            break;
        case ObservationType::BogusFlags:
            format_bogus(line, out);
            break;
        case ObservationType::Datagram:
            format_datagram(line, out);
            break;
        case ObservationType::Traceroute:
            fmt::format_to(to(out), "UDP: traceroute from {}", line.source);
            append_destination(line.destination, out);
            break;
        case ObservationType::EchoRequest:
            format_echo("echo", line, out);
            break;
        case ObservationType::EchoReply:
            format_echo("echo reply", line, out);
            break;
        case ObservationType::ScanDetected:
            format_detected(line, out);
            break;
        case ObservationType::ScanExpired:
            format_expired(line, out);
            break;
        case ObservationType::ScannerIdentified:
            format_scanner(line, out);
            break;
        case ObservationType::IcmpMessage:
            format_icmp(line, out);
            break;
        case ObservationType::OverlappingFragments:
        case ObservationType::OverlappingFragmentsInserted:
        case ObservationType::DuplicateFragments:
        case ObservationType::OversizedFragment:
        case ObservationType::ShortPacket:
        case ObservationType::BadChecksum:
            format_ip(line, out);
            break;
    }
}

std::optional<Line> parse_line(std::string_view message) {
    struct Form {
        std::string_view start;
        ObservationType type;
        bool (*parse)(std::string_view, Line&);
    };
    static constexpr Form kForms[] = {
        {"TCP: Bogus TCP flags set by ", ObservationType::BogusFlags, parse_bogus},
        {"TCP: scanner ", ObservationType::ScannerIdentified, parse_scanner},
        {"UDP: dgram to ", ObservationType::Datagram, parse_datagram},
        {"UDP: traceroute from ", ObservationType::Traceroute, parse_traceroute},
        {"ICMP: echo reply from ", ObservationType::EchoReply, parse_echo},
        {"ICMP: echo from ", ObservationType::EchoRequest, parse_echo},
    };
    Line line;
    for (const Form& form : kForms) {
        if (take(message, form.start)) {
            line.type = form.type;
            return form.parse(message, line) ? std::optional(line) : std::nullopt;
        }
    }
    for (const auto& row : sensor_detect::detectors()) {
        std::string_view text = message;
        if (!take(text, row.name)) {
            continue;
        }
        line.kind = row.kind;
        if (take(text, " detected ")) {
            line.type = ObservationType::ScanDetected;
            return parse_detected(text, line) ? std::optional(line) : std::nullopt;
        }
        if (take(text, " mode ")) {
            line.type = ObservationType::ScanExpired;
            return parse_expired(text, line) ? std::optional(line) : std::nullopt;
        }
    }
    if (take(message, "TCP: ")) {
        return parse_attempt(message, line) ? std::optional(line) : std::nullopt;
    }
    return parse_ip(message, line) ? std::optional(line) : parse_icmp(message);
}

}  // namespace portcullis::sensor_report
