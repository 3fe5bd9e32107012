#include "engine/decode/header_formats.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"

namespace portcullis::decode {
namespace {

using Start = std::optional<std::size_t>;

Start when(bool fits, std::size_t start) { return fits ? Start(start) : std::nullopt; }

using base::is_digit;

// The part that both ISO shapes with "T" share: 2007-06-14T15:48:55
bool is_iso_date(const HeaderText& t) {
    return t.size() >= 33 && t.has('-', {4, 7}) && t[10] == 'T' && t.has(':', {13, 16});
}

Start syslog(const HeaderText& t) {
    return when(t.size() >= 17 && t.has(' ', {3, 6, 15}) && t.has(':', {9, 12}), 16);
}

Start iso_with_comma(const HeaderText& t) {
    return when(t.size() >= 24 && t.has('-', {4, 7}) && t[10] == ' ' && t.has(':', {13, 16}) &&
                    t[19] == ',',
                23);
}

Start iso_with_zone(const HeaderText& t) {
    return when(is_iso_date(t) && t[22] == ':' && t[25] == ' ', 26);
}

Start iso_with_fraction(const HeaderText& t) {
    if (is_iso_date(t) && (t[19] == '.' || t[19] == ',')) {
        for (std::size_t column = 24; column <= 29; ++column) {
            if (t[column] == ':') {  // of the zone
                return column + 3;
            }
        }
    }
    return std::nullopt;
}

Start syslog_with_year(const HeaderText& t) {
    return when(
        t.size() >= 21 && t.has_digit(0) && t.has(' ', {4, 8, 11, 20}) && t.has(':', {14, 17}), 21);
}

Start colon_date(const HeaderText& t) {
    return when(t.size() >= 20 && t.has_digit(0) && t.has(':', {4, 7, 13, 16}) && t[10] == '-', 20);
}

Start xferlog(const HeaderText& t) {
    return when(t.size() >= 28 && t.has(' ', {3, 7, 10, 19, 24, 26}) && t.has(':', {13, 16}), 24);
}

Start snort(const HeaderText& t) {
    return when(t.size() >= 24 && t[2] == '/' && t[5] == '-' && t.has(':', {8, 11}) &&
                    t[14] == '.' && t[21] == ' ',
                23);
}

Start suricata(const HeaderText& t) {
    return when(t.size() >= 26 && t.has('/', {2, 5}) && t[10] == '-' && t.has(':', {13, 16}) &&
                    t[19] == '.' && t[26] == ' ',
                28);
}

Start apache_error(const HeaderText& t) {
    return when(t.size() >= 27 && t[0] == '[' && t.has(' ', {4, 8, 11, 20}) &&
                    t.has(':', {14, 17}) && t[25] == ']',
                27);
}

Start osx_asl(const HeaderText& t) {
    return when(t.size() >= 26 && t[0] == '[' && t[1] == 'T' && t.has(' ', {5, 16}) &&
                    t.has('.', {10, 13}) && t[19] == ':',
                25);
}

Start squid(const HeaderText& t) {
    const bool fits = t.size() >= 32 && t[0] == '1' && t.has_digit(1) && t.has_digit(2) &&
                      t.has_digit(3) && t.has_digit(13) && t[10] == '.' && t[14] == ' ' &&
                      (t[21] == ' ' || t[22] == ' ');
    if (!fits) {
        return std::nullopt;
    }
    std::size_t start = 14;
    while (t[start] == ' ') {
        ++start;
    }
    return start;
}

Start anything(const HeaderText&) { return 0; }

// The order is the order of trying.
constexpr std::array kFormats{
    HeaderFormat{"syslog", "date of BSD syslog", "Dec 29 10:00:01 web1 sshd[12]: hello", "hello",
                 HeaderRest::HostAndProgram, syslog},
    HeaderFormat{"iso-comma", "date and time with milliseconds behind a comma",
                 "2015-04-16 21:51:02,805 web1 sshd[12]: hello", "hello",
                 HeaderRest::HostAndProgram, iso_with_comma},
    HeaderFormat{"iso-zone", "ISO 8601 with time zone",
                 "2007-06-14T15:48:55-04:00 web1 sshd[12]: hello", "hello",
                 HeaderRest::HostAndProgram, iso_with_zone},
    HeaderFormat{"iso-fraction", "ISO 8601 with fraction of a second and time zone",
                 "2007-06-14T15:48:55.214994-04:00 web1 sshd[12]: hello", "hello",
                 HeaderRest::HostAndProgram, iso_with_fraction},
    HeaderFormat{"syslog-year", "date of BSD syslog with the year before it",
                 "2015 Dec 29 10:00:01 web1 sshd[12]: hello", "hello", HeaderRest::HostAndProgram,
                 syslog_with_year},
    HeaderFormat{"colon-date", "date separated by colons",
                 "2019:11:06-00:08:03 web1 sshd[12]: hello", "hello", HeaderRest::HostAndProgram,
                 colon_date},
    HeaderFormat{"xferlog", "transfer log of FTP servers",
                 "Mon Apr 17 18:27:14 2006 1 64.160.42.130 1 /etc/motd",
                 " 1 64.160.42.130 1 /etc/motd", HeaderRest::Text, xferlog},
    HeaderFormat{"snort", "alert of snort", "01/28-09:13:16.240702  [**] [1:1:1] hello",
                 "[**] [1:1:1] hello", HeaderRest::Text, snort},
    HeaderFormat{"suricata", "alert of suricata", "01/28/1979-09:13:16.240702  [**] [1:1:1] hello",
                 "[**] [1:1:1] hello", HeaderRest::Text, suricata},
    HeaderFormat{"apache-error", "error log of apache 2.2 and older",
                 "[Fri Feb 11 18:06:35 2004] [warn] hello", "[warn] hello", HeaderRest::Text,
                 apache_error},
    HeaderFormat{"osx-asl", "system log of OS X",
                 "[Time 2006.12.28 15:53:55 UTC] [Facility auth] [Sender sshd] [PID 483] "
                 "[Message hello] [Level 3] [UID -2] [Host mac1]",
                 "hello", HeaderRest::AslGroups, osx_asl},
    HeaderFormat{"squid", "access log of squid",
                 "1140804070.368  11623 192.168.1.5 TCP_MISS/200 hello",
                 "11623 192.168.1.5 TCP_MISS/200 hello", HeaderRest::Text, squid},
    HeaderFormat{"none", "no known header", "hello", "hello", HeaderRest::Text, anything},
};

}  // namespace

HeaderText::HeaderText(std::string_view line)
    : line_(line), has_umlaut_(line.size() > 3 && line[1] == '\xc3' && line[2] == '\xa4') {}

char HeaderText::operator[](std::size_t column) const {
    if (has_umlaut_) {
        if (column < 2) {
            return column == 0 ? 'M' : 'a';
        }
        ++column;
    }
    return column < line_.size() ? line_[column] : '\0';
}

bool HeaderText::has(char c, std::initializer_list<std::size_t> columns) const {
    return std::all_of(columns.begin(), columns.end(),
                       [&](std::size_t column) { return (*this)[column] == c; });
}

bool HeaderText::has_digit(std::size_t column) const { return is_digit((*this)[column]); }

std::span<const HeaderFormat> header_formats() { return kFormats; }

}  // namespace portcullis::decode
