// Reporter: makes lines of observations, with the names of hosts and services.
//
// Between a Tracker and LogWriter. Single-threaded. A detection is flushed to the log before
// on_observation() returns, unless the budget delays it; other lines when LogWriter::flush() is
// called.
#pragma once

#include <string>

#include "sensor/detect/observation.hpp"
#include "sensor/report/line.hpp"
#include "sensor/report/log_writer.hpp"
#include "sensor/report/names.hpp"
#include "sensor/report/syn_flood_meter.hpp"

namespace portcullis::sensor_report {

struct ReportSettings {
    bool log_destination = false;  // `log_dest`
    bool log_address = false;      // `log_ip`: the address behind the name
    bool resolve_tcp = true;
    bool resolve_udp = true;
    bool resolve_icmp = true;
    bool spares_names_in_flood = true;  // `syn_flood`: see SynFloodMeter
    // iplog_compat: hosts and ICMP messages as iplog 2.2.3 writes them, where it is wrong too.
    bool has_iplog_words = false;
};

class Reporter final : public sensor_detect::ObservationSink {
  public:
    // All references must outlive the reporter.
    Reporter(const ReportSettings& settings, const ServicesFile& services, const HostsFile& hosts,
             LogWriter& log)
        : settings_(settings), services_(services), hosts_(hosts), log_(log) {}

    void set_settings(const ReportSettings& settings) { settings_ = settings; }

    // Sets the look-ups of names and users; nullptr = none. They must outlive their use.
    void set_host_lookup(HostLookup* lookup) { host_lookup_ = lookup; }
    void set_ident_lookup(IdentLookup* lookup) { ident_lookup_ = lookup; }

    void on_observation(const sensor_detect::Observation& observation) override;
    // Writes an attempt that the ident look-up took; an empty `user` = not known.
    void report_attempt(const sensor_detect::Observation& attempt, std::string_view user);

  private:
    void write_line(const sensor_detect::Observation& observation, std::string_view user);
    // Composes the line in message_. Returns false if there is nothing to write.
    bool compose(const sensor_detect::Observation& observation, std::string_view user);
    void note_flood(const sensor_detect::Observation& observation);
    bool resolves(const sensor_detect::Observation& observation) const;
    // Returns false if there is nothing to write.
    bool describe_icmp(const sensor_detect::Observation& observation, bool resolve, Line& line);
    void write_host(const base::IpAddress& address, bool resolve, std::string& out) const;
    void write_destinations(const sensor_detect::Observation& observation, bool resolve);
    void write_sources(const sensor_detect::Observation& observation, bool resolve);
    void write_service(Protocol protocol, std::uint16_t port);

    ReportSettings settings_;
    const ServicesFile& services_;
    const HostsFile& hosts_;
    LogWriter& log_;
    HostLookup* host_lookup_ = nullptr;
    IdentLookup* ident_lookup_ = nullptr;
    SynFloodMeter flood_;
    bool was_detection_written_ = true;  // the last one; the line about its tool follows it
    // Kept so that a line costs no allocation.
    std::string source_;
    std::string destination_;
    std::string service_;
    std::string subject_;
    std::string detail_;
    std::string message_;
};

}  // namespace portcullis::sensor_report
