// SensorSettings: all settings of iplog.conf and the command line, as plain values.
//
// The configuration file is applied first and the command line second, so that it has precedence.
#pragma once

#include <syslog.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.hpp"
#include "base/diagnostic.hpp"
#include "base/ip_address.hpp"
#include "sensor/config/packet_filter.hpp"
#include "sensor/detect/tracker.hpp"
#include "sensor/report/reporter.hpp"

namespace portcullis::sensor_config {

// The switches of `set KEY true|false`. The table in settings.cpp has their names and defaults.
enum class Switch : std::uint8_t {
    Tcp,
    Udp,
    Icmp,
    Frag,
    Smurf,
    Bogus,
    LogIp,
    LogDest,
    Stdout,
    NoFork,
    Verbose,
    FinScan,
    SynScan,
    UdpScan,
    PortScan,
    FoolNmap,
    XmasScan,
    NullScan,
    GetIdent,
    DnsCache,
    NoNamesInSynFlood,  // iplog's syn_flood; ScanKind::SynFlood is not affected
    IgnoreDns,
    PingFlood,
    ScansOnly,
    Traceroute,
    UdpResolve,
    TcpResolve,
    IcmpResolve,
    DisableResolver,
    IplogCompat,  // not in iplog
};
inline constexpr std::size_t kSwitchCount = 30;

struct SwitchRow {
    Switch id;
    std::string_view name;
    bool is_on;  // by default
};
const std::array<SwitchRow, kSwitchCount>& switches();
// Case does not matter, as in iplog.
std::optional<Switch> find_switch(std::string_view name);

struct SensorSettings {
    SensorSettings();

    bool& operator[](Switch which) { return values[static_cast<std::size_t>(which)]; }
    bool operator[](Switch which) const { return values[static_cast<std::size_t>(which)]; }

    std::array<bool, kSwitchCount> values{};
    std::vector<std::string> interfaces;  // empty = all that are up, but loopback
    std::string user;                     // name or number; empty = keep
    std::string group;
    std::string pid_file = "/var/run/iplog.pid";
    std::string log_file;       // empty = standard output or syslog
    int facility = LOG_DAEMON;  // of syslog(3)
    int priority = LOG_NOTICE;
    std::vector<base::Cidr> promisc;  // further networks to watch over; not empty = promiscuous
    PacketFilters filters;
    sensor_report::LogSettings log;
    sensor_detect::TrackerSettings
        tracker;  // thresholds, and the kinds that iplog has no switch for
};

// Sets what one setting implies for others (spec section 6.4). Call it after file and command line.
// If the settings cannot be used, the reason is added to `problems`.
void derive_settings(SensorSettings& settings, const std::vector<base::IpAddress>& nameservers,
                     base::Diagnostics& problems);

sensor_detect::TrackerSettings tracker_settings(const SensorSettings& settings);
sensor_report::ReportSettings report_settings(const SensorSettings& settings);

// syslog(3) codes by name, with or without "log_", whatever the case.
std::optional<int> find_facility(std::string_view name);
std::optional<int> find_priority(std::string_view name);

using base::lower;

}  // namespace portcullis::sensor_config
