#include "sensor/report/icmp_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "base/ip_address.hpp"

namespace portcullis::sensor_report {
namespace {

using sensor_detect::ObservationType;

enum class Words : std::uint8_t { Either, Ours, Iplogs };

// The placeholders of a template:
//   %s source      %t destination    %h subject    %d detail (a host, too)    %x detail to the end
//   %p "S" or "(from S) SUBJECT"     %u what is unreachable, by the code
//   %c ICMP code   %y ICMP type
struct Form {
    Words words;
    std::string_view text;     // log_dest off
    std::string_view text_to;  // log_dest on
    std::uint8_t type;
    std::uint8_t first_code = 0;
    std::uint8_t last_code = 255;
};

// Specification section 4. The first row that matches is used; the last one is for all other ICMP
// types.
constexpr Form kForms[] = {
    {Words::Ours, "ICMP: %p: %u is unreachable (%d)", "ICMP: %p: %u is unreachable to %t (%d)", 3,
     0, 15},
    {Words::Iplogs, "ICMP: %p: port is unreachable to (%d)",
     "ICMP: %p: port is unreachable to %t (%d)", 3, 0, 15},
    {Words::Either, "ICMP: undefined destination unreachable code (%c) from %s",
     "ICMP: undefined destination unreachable code (%c) from %s to %t", 3, 16, 255},
    {Words::Either, "ICMP: source quench from %s", "ICMP: source quench to %t from %s", 4},
    {Words::Either, "ICMP: (%h) redirect %s to network %d", "ICMP: (%h) redirect %s to network %d",
     5, 0, 0},
    {Words::Either, "ICMP: (%h) redirect %s to host %d", "ICMP: (%h) redirect %s to host %d", 5, 1,
     1},
    {Words::Either, "ICMP: (%h) redirect-tos %s to network %d",
     "ICMP: (%h) redirect-tos %s to network %d", 5, 2, 2},
    {Words::Either, "ICMP: (%h) redirect-tos %s to host %d",
     "ICMP: (%h) redirect-tos %s to host %d", 5, 3, 3},
    {Words::Either, "ICMP: undefined redirect code %c from %s",
     "ICMP: undefined redirect code %c to %t from %s", 5, 4, 255},
    {Words::Either, "ICMP: path of router advertisement from %s: %x",
     "ICMP: path of router advertisement to %t from %s: %x", 9},
    {Words::Either, "ICMP: router solicitation from %s", "ICMP: router solicitation to %t from %s",
     10},
    {Words::Either, "ICMP: %s time exceeded (%d)", "ICMP: %s time exceeded to %t (%d)", 11},
    {Words::Either, "ICMP: parameter problem from %s (ptr %d)",
     "ICMP: parameter problem to %t from %s (ptr %d)", 12},
    {Words::Either, "ICMP: timestamp request from %s", "ICMP: timestamp request to %t from %s", 13},
    {Words::Ours, "ICMP: timestamp reply from %s (%d)", "ICMP: timestamp reply to %t from %s (%d)",
     14},
    {Words::Iplogs, "ICMP: timestamp request from %s (%d)",
     "ICMP: timestamp request to %t from %s (%d)", 14},
    {Words::Either, "ICMP: info request from %s", "ICMP: info request to %t from %s", 15},
    {Words::Either, "ICMP: info reply from %s", "ICMP: info reply to %t from %s", 16},
    {Words::Either, "ICMP: address mask request from %s",
     "ICMP: address mask request to %t from %s", 17},
    {Words::Either, "ICMP: address mask reply from %s (%d)",
     "ICMP: address mask reply to %t from %s (%d)", 18},
    {Words::Either, "ICMP: undefined ICMP type %y from %s",
     "ICMP: undefined ICMP type %y to %t from %s", 19},
};
constexpr const Form& kUndefinedType = kForms[std::size(kForms) - 1];

// Of type 3, by code: RFC 792 and RFC 1812 section 5.2.7.1.
constexpr std::array<std::string_view, 16> kUnreachableTexts{
    "network",
    "host",
    "protocol",
    "port",
    "host without fragmentation",
    "host by that source route",
    "unknown network",
    "unknown host",
    "isolated host",
    "prohibited network",
    "prohibited host",
    "network with that service",
    "host with that service",
    "filtered host",
    "host above its precedence",
    "host below its precedence",
};

bool fits(const Form& form, const Line& line) {
    if (form.words != Words::Either && (form.words == Words::Iplogs) != line.has_iplog_words) {
        return false;
    }
    return &form == &kUndefinedType ||
           (form.type == line.icmp_type && line.icmp_code >= form.first_code &&
            line.icmp_code <= form.last_code);
}

void fill(char hole, const Line& line, std::string& out) {
    switch (hole) {
        case 's':
            out += line.source;
            break;
        case 't':
            out += line.destination;
            break;
        case 'h':
            out += line.subject;
            break;
        case 'd':
        case 'x':
            out += line.detail;
            break;
        case 'p':
            if (line.subject.empty()) {
                out += line.source;
            } else {
                fmt::format_to(std::back_inserter(out), "(from {}) {}", line.source, line.subject);
            }
            break;
        case 'u':
            out += kUnreachableTexts[line.icmp_code % kUnreachableTexts.size()];
            break;
        case 'c':
            fmt::format_to(std::back_inserter(out), "{}", line.icmp_code);
            break;
        case 'y':
            fmt::format_to(std::back_inserter(out), "{}", line.icmp_type);
            break;
        default:
            break;
    }
}

bool match(std::string_view form, std::string_view text, Line& line);

// "name (address)" or a word; both are tried. The rest of the text must match the rest of `form`.
bool match_host(std::string_view Line::*place, std::string_view form, std::string_view text,
                Line& line) {
    // A placeholder is followed by the end, ": ", a blank or a bracket; an IPv6 address contains
    // colons too.
    std::size_t word = std::min(text.find_first_of(" ()"), text.size());
    const std::size_t closing = text.find(')', word);
    if (text.substr(word, 2) == " (" && closing != std::string_view::npos &&
        base::IpAddress::parse(text.substr(word + 2, closing - word - 2))) {
        line.*place = text.substr(0, closing + 1);
        if (match(form, text.substr(closing + 1), line)) {
            return true;
        }
    }
    if (form.substr(0, 1) == ":" && word > 0 && text[word - 1] == ':') {
        --word;
    }
    line.*place = text.substr(0, word);
    return word > 0 && match(form, text.substr(word), line);
}

bool match_detail(std::string_view form, std::string_view text, Line& line) {
    const std::size_t end =
        form == ")" ? text.size() - std::min<std::size_t>(text.size(), 1) : text.size();
    line.detail = text.substr(0, end);
    return end > 0 && match(form, text.substr(end), line);
}

bool match_number(std::uint8_t& number, std::string_view form, std::string_view text, Line& line) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} &&
           match(form, text.substr(static_cast<std::size_t>(end - text.data())), line);
}

bool match_sender(std::string_view form, std::string_view text, Line& line) {
    constexpr std::string_view kFrom = "(from ";
    if (text.substr(0, kFrom.size()) != kFrom) {
        line.subject = {};
        return match_host(&Line::source, form, text, line);
    }
    const std::string both = ") %h" + std::string(form);
    return match_host(&Line::source, both, text.substr(kFrom.size()), line);
}

bool match_unreachable(std::string_view form, std::string_view text, Line& line) {
    for (std::size_t code = 0; code < kUnreachableTexts.size(); ++code) {
        const std::string_view word = kUnreachableTexts[code];
        line.icmp_code = static_cast<std::uint8_t>(code);
        if (text.substr(0, word.size()) == word && match(form, text.substr(word.size()), line)) {
            return true;
        }
    }
    return false;
}

// True if `text` matches `form`. The depth of recursion is the number of placeholders.
bool match(std::string_view form, std::string_view text, Line& line) {
    const std::size_t literal = std::min(form.find('%'), form.size());
    if (text.substr(0, literal) != form.substr(0, literal)) {
        return false;
    }
    text.remove_prefix(literal);
    form.remove_prefix(literal);
    if (form.empty()) {
        return text.empty();
    }
    const char hole = form[1];
    form.remove_prefix(2);
    switch (hole) {
        case 's':
            return match_host(&Line::source, form, text, line);
        case 't':
            return match_host(&Line::destination, form, text, line);
        case 'h':
            return match_host(&Line::subject, form, text, line);
        case 'd':
        case 'x':
            return match_detail(form, text, line);
        case 'p':
            return match_sender(form, text, line);
        case 'u':
            return match_unreachable(form, text, line);
        case 'c':
            return match_number(line.icmp_code, form, text, line);
        case 'y':
            return match_number(line.icmp_type, form, text, line);
        default:
            return false;
    }
}

}  // namespace

void format_icmp(const Line& line, std::string& out) {
    const auto* const row = std::find_if(std::begin(kForms), std::end(kForms),
                                         [&](const Form& form) { return fits(form, line); });
    if (row == std::end(kForms)) {
        return;
    }
    std::string_view text = line.destination.empty() ? row->text : row->text_to;
    while (!text.empty()) {
        const std::size_t literal = std::min(text.find('%'), text.size());
        out += text.substr(0, literal);
        text.remove_prefix(literal);
        if (!text.empty()) {
            fill(text[1], line, out);
            text.remove_prefix(2);
        }
    }
}

std::optional<Line> parse_icmp(std::string_view message) {
    for (const Form& form : kForms) {
        for (const std::string_view text : {form.text, form.text_to}) {
            Line line;
            line.type = ObservationType::IcmpMessage;
            line.has_iplog_words = form.words == Words::Iplogs;
            line.icmp_type = form.type;
            line.icmp_code = form.first_code;
            if (match(text, message, line)) {
                return line;
            }
        }
    }
    return std::nullopt;
}

}  // namespace portcullis::sensor_report
