#include "engine/alert/sinks.hpp"

#include <array>

#include "engine/alert/alert_template.hpp"
#include "engine/alert/file_sink.hpp"
#include "engine/alert/record_formats.hpp"

namespace portcullis::alert {
namespace {

// The dated files of a row: "ossec-alerts-24.log".
constexpr char kAlerts[] = "ossec-alerts";
constexpr char kArchive[] = "ossec-archive";
constexpr char kFirewall[] = "ossec-firewall";
constexpr char kLog[] = ".log";
constexpr char kJson[] = ".json";

template <const char* Prefix, const char* Extension, auto Format>
std::unique_ptr<AlertSink> make_file(const SinkRow& row, const SinkContext& context) {
    return std::make_unique<FileSink>(FileNames{row.name, Prefix, Extension}, Format, context);
}

std::string alert_text(const StreamItem& item, const OutputOptions& options) {
    return options.alert_format.empty() ? alert_as_text(*item.alert)
                                        : alert_from_template(options.alert_format, *item.alert);
}
std::string alert_json(const StreamItem& item, const OutputOptions&) {
    return alert_as_json(*item.alert);
}
std::string event_text(const StreamItem& item, const OutputOptions&) {
    return event_as_text(*item.event, item.alert);
}
std::string event_json(const StreamItem& item, const OutputOptions&) {
    return event_as_json(*item.event, item.alert);
}
std::string firewall_text(const StreamItem& item, const OutputOptions&) {
    return firewall_event_as_text(*item.event);
}

constexpr std::array kSinks{
    SinkRow{"alerts/alerts.log",
            "alerts, as text of several lines, or one line of custom_alert_output each",
            Stream::Alerts, [](const OutputOptions& /*options*/) { return true; },
            make_file<kAlerts, kLog, alert_text>},
    SinkRow{"alerts/alerts.json", "alerts, one JSON object per line", Stream::Alerts,
            [](const OutputOptions& options) { return options.alerts_json; },
            make_file<kAlerts, kJson, alert_json>},
    SinkRow{"archives/archives.log", "every event, one line each", Stream::Events,
            [](const OutputOptions& options) { return options.archives; },
            make_file<kArchive, kLog, event_text>},
    SinkRow{"archives/archives.json", "every event, one JSON object per line", Stream::Events,
            [](const OutputOptions& options) { return options.archives_json; },
            make_file<kArchive, kJson, event_json>},
    SinkRow{"firewall/firewall.log", "firewall events, one line each, independent of the rules",
            Stream::Firewall, [](const OutputOptions& options) { return options.firewall; },
            make_file<kFirewall, kLog, firewall_text>},
};

}  // namespace

std::span<const SinkRow> sink_rows() { return kSinks; }

}  // namespace portcullis::alert
