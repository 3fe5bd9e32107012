#include "sensor/config/settings.hpp"

#include <syslog.h>

namespace portcullis::sensor_config {
namespace {

// Row i is that of Switch(i). Defaults: spec section 6.1.
constexpr std::array<SwitchRow, kSwitchCount> kSwitches{{
    {Switch::Tcp, "tcp", true},
    {Switch::Udp, "udp", true},
    {Switch::Icmp, "icmp", true},
    {Switch::Frag, "frag", true},
    {Switch::Smurf, "smurf", true},
    {Switch::Bogus, "bogus", true},
    {Switch::LogIp, "log_ip", false},
    {Switch::LogDest, "log_dest", false},
    {Switch::Stdout, "stdout", false},
    {Switch::NoFork, "no_fork", false},
    {Switch::Verbose, "verbose", false},
    {Switch::FinScan, "fin_scan", true},
    {Switch::SynScan, "syn_scan", true},
    {Switch::UdpScan, "udp_scan", true},
    {Switch::PortScan, "portscan", true},
    {Switch::FoolNmap, "fool_nmap", false},
    {Switch::XmasScan, "xmas_scan", true},
    {Switch::NullScan, "null_scan", true},
    {Switch::GetIdent, "get_ident", false},
    {Switch::DnsCache, "dns_cache", true},
    {Switch::NoNamesInSynFlood, "syn_flood", true},
    {Switch::IgnoreDns, "ignore_dns", false},
    {Switch::PingFlood, "ping_flood", true},
    {Switch::ScansOnly, "scans_only", false},
    {Switch::Traceroute, "traceroute", true},
    {Switch::UdpResolve, "udp_resolve", true},
    {Switch::TcpResolve, "tcp_resolve", true},
    {Switch::IcmpResolve, "icmp_resolve", true},
    {Switch::DisableResolver, "disable_resolver", false},
    {Switch::IplogCompat, "iplog_compat", false},
}};

struct SyslogCode {
    std::string_view name;
    int code;
};

constexpr SyslogCode kFacilities[] = {
    {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},
    {"daemon", LOG_DAEMON}, {"ftp", LOG_FTP},           {"kern", LOG_KERN},
    {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},     {"local2", LOG_LOCAL2},
    {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},     {"local5", LOG_LOCAL5},
    {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},     {"lpr", LOG_LPR},
    {"mail", LOG_MAIL},     {"news", LOG_NEWS},         {"security", LOG_AUTH},
    {"syslog", LOG_SYSLOG}, {"user", LOG_USER},         {"uucp", LOG_UUCP},
};

constexpr SyslogCode kPriorities[] = {
    {"alert", LOG_ALERT}, {"crit", LOG_CRIT},    {"debug", LOG_DEBUG},     {"emerg", LOG_EMERG},
    {"err", LOG_ERR},     {"error", LOG_ERR},    {"info", LOG_INFO},       {"notice", LOG_NOTICE},
    {"panic", LOG_EMERG}, {"warn", LOG_WARNING}, {"warning", LOG_WARNING},
};

template <std::size_t N>
std::optional<int> find_code(const SyslogCode (&codes)[N], std::string_view name) {
    std::string wanted = lower(name);
    if (wanted.rfind("log_", 0) == 0) {
        wanted.erase(0, 4);
    }
    for (const SyslogCode& code : codes) {
        if (code.name == wanted) {
            return code.code;
        }
    }
    return std::nullopt;
}

base::Diagnostic problem(std::string code, std::string message) {
    return base::make_error(std::move(code), std::move(message));
}

}  // namespace

const std::array<SwitchRow, kSwitchCount>& switches() { return kSwitches; }

std::optional<Switch> find_switch(std::string_view name) {
    const std::string wanted = lower(name);
    for (const SwitchRow& row : kSwitches) {
        if (row.name == wanted) {
            return row.id;
        }
    }
    return std::nullopt;
}

SensorSettings::SensorSettings() {
    for (const SwitchRow& row : kSwitches) {
        (*this)[row.id] = row.is_on;
    }
}

void derive_settings(SensorSettings& settings, const std::vector<base::IpAddress>& nameservers,
                     base::Diagnostics& problems) {
    auto& s = settings;
    if (!s[Switch::Tcp] && !s[Switch::Udp] && !s[Switch::Icmp]) {
        problems.add(problem("nothing-to-log", "Told not to log anything.  Exiting."));
    }
    if (!s.promisc.empty() && s[Switch::GetIdent]) {
        problems.add(
            problem("promisc-and-ident", "The promisc and get_ident flags are not compatible."));
    }
    if (s[Switch::IplogCompat]) {
        s.log.line_limit = 0;
        s.log.detection_limit = 0;
        s.log.writes_repeats_by_timer = false;
    }
    if (s[Switch::DisableResolver]) {
        for (const Switch which : {Switch::TcpResolve, Switch::UdpResolve, Switch::IcmpResolve}) {
            s[which] = false;
        }
    }
    if (!s[Switch::TcpResolve]) {
        s[Switch::NoNamesInSynFlood] = false;
    }
    if (!s[Switch::TcpResolve] && !s[Switch::UdpResolve] && !s[Switch::IcmpResolve]) {
        s[Switch::DisableResolver] = true;
        s[Switch::DnsCache] = false;
    }
    if (!s[Switch::Tcp]) {
        for (const Switch which : {Switch::PortScan, Switch::NullScan, Switch::FinScan,
                                   Switch::SynScan, Switch::XmasScan, Switch::Bogus}) {
            s[which] = false;
        }
    }
    if (!s[Switch::Udp]) {
        for (const Switch which : {Switch::UdpScan, Switch::IgnoreDns, Switch::Traceroute}) {
            s[which] = false;
        }
    }
    if (!s[Switch::Icmp]) {
        s[Switch::PingFlood] = false;
        s[Switch::Smurf] = s[Switch::Smurf] && s[Switch::Udp];
    }
    if (s[Switch::IgnoreDns] && !nameservers.empty()) {
        PacketFilter answers;
        answers.from.emplace();
        for (const base::IpAddress& server : nameservers) {
            answers.from->networks.emplace_back(server, server.is_v4() ? 32 : 128);
        }
        answers.source_port = PortMatch{53, 53, false};
        s.filters.add_first(FilterProtocol::Udp, std::move(answers));
    }
    // A protocol that is switched off is ignored, whatever the `log` rules say.
    const std::pair<Switch, FilterProtocol> protocols[] = {
        {Switch::Tcp, FilterProtocol::Tcp},
        {Switch::Udp, FilterProtocol::Udp},
        {Switch::Icmp, FilterProtocol::Icmp},
    };
    for (const auto& [which, protocol] : protocols) {
        if (!s[which]) {
            s.filters.add_first(protocol, PacketFilter{});
        }
    }
}

sensor_detect::TrackerSettings tracker_settings(const SensorSettings& settings) {
    sensor_detect::TrackerSettings tracker = settings.tracker;
    for (const auto& row : sensor_detect::detectors()) {
        if (const auto which = find_switch(row.keyword)) {
            tracker.of(row.kind).is_enabled = settings[*which];
        }
    }
    tracker.traceroute = settings[Switch::Traceroute];
    tracker.bogus = settings[Switch::Bogus];
    tracker.scans_only = settings[Switch::ScansOnly];
    tracker.watches_networks = !settings.promisc.empty();
    return tracker;
}

sensor_report::ReportSettings report_settings(const SensorSettings& settings) {
    sensor_report::ReportSettings report;
    report.log_destination = settings[Switch::LogDest];
    report.log_address = settings[Switch::LogIp];
    report.resolve_tcp = settings[Switch::TcpResolve];
    report.resolve_udp = settings[Switch::UdpResolve];
    report.resolve_icmp = settings[Switch::IcmpResolve];
    report.spares_names_in_flood = settings[Switch::NoNamesInSynFlood];
    report.has_iplog_words = settings[Switch::IplogCompat];
    return report;
}

std::optional<int> find_facility(std::string_view name) { return find_code(kFacilities, name); }
std::optional<int> find_priority(std::string_view name) { return find_code(kPriorities, name); }

}  // namespace portcullis::sensor_config
