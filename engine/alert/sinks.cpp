#include "engine/alert/sinks.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/alert/alert_template.hpp"
#include "engine/alert/dated_file.hpp"
#include "engine/alert/record_formats.hpp"

namespace portcullis::alert {
namespace {

constexpr std::array kFileKinds{
    FileKind{
        "alerts/alerts.log", "ossec-alerts", ".log", "alerts, as text of several lines",
        Stream::Alerts, [](const OutputOptions& options) { return options.alert_format.empty(); },
        [](const Record& record, const OutputOptions&) { return alert_as_text(*record.alert); }},
    FileKind{"alerts/alerts.log", "ossec-alerts", ".log",
             "alerts, a line of custom_alert_output each", Stream::Alerts,
             [](const OutputOptions& options) { return !options.alert_format.empty(); },
             [](const Record& record, const OutputOptions& options) {
                 return alert_from_template(options.alert_format, *record.alert);
             }},
    FileKind{
        "alerts/alerts.json", "ossec-alerts", ".json", "alerts, one JSON object a line",
        Stream::Alerts, [](const OutputOptions& options) { return options.alerts_json; },
        [](const Record& record, const OutputOptions&) { return alert_as_json(*record.alert); }},
    FileKind{"archives/archives.log", "ossec-archive", ".log", "every event, a line each",
             Stream::Events, [](const OutputOptions& options) { return options.archives; },
             [](const Record& record, const OutputOptions&) {
                 return event_as_text(*record.event, record.alert);
             }},
    FileKind{"archives/archives.json", "ossec-archive", ".json",
             "every event, one JSON object a line", Stream::Events,
             [](const OutputOptions& options) { return options.archives_json; },
             [](const Record& record, const OutputOptions&) {
                 return event_as_json(*record.event, record.alert);
             }},
    FileKind{"firewall/firewall.log", "ossec-firewall", ".log",
             "events of firewalls, a line each, whatever rules say", Stream::Firewall,
             [](const OutputOptions& options) { return options.firewall; },
             [](const Record& record, const OutputOptions&) {
                 return firewall_event_as_text(*record.event);
             }},
};

DatedFile dated_file_of(const std::string& logs_folder, const FileKind& kind) {
    const std::size_t slash = kind.current_name.find('/');
    return {logs_folder + "/" + std::string(kind.current_name.substr(0, slash)),
            std::string(kind.prefix), std::string(kind.extension),
            std::string(kind.current_name.substr(slash + 1))};
}

}  // namespace

std::span<const FileKind> file_kinds() { return kFileKinds; }

// One file of the table; keeps track of whether writing to it fails.
class Outputs::FileSink final : public AlertSink {
  public:
    // `options`, `log` and `clock` must outlive it.
    FileSink(const FileKind& kind, const std::string& logs_folder, const OutputOptions& options,
             base::Log& log, const base::Clock& clock)
        : kind_(kind),
          file_(dated_file_of(logs_folder, kind)),
          options_(options),
          log_(log),
          clock_(clock) {
        report(file_.open(clock_.now()));
    }

    base::Result<void> write(const Alert& alert) override {
        return write({nullptr, &alert}, alert.time);
    }
    base::Result<void> write(const Record& record, base::Timestamp time) {
        return report(file_.append(kind_.format(record, options_), time));
    }
    base::Result<void> flush() override {
        return file_.has_held_back() ? report(file_.retry(clock_.now())) : base::Result<void>{};
    }

    const FileKind& kind() const { return kind_; }
    bool has_held_back() const { return file_.has_held_back(); }
    std::uint64_t lost_records() const { return file_.lost_records(); }

  private:
    // Once when writing begins to fail, once when it works again.
    base::Result<void> report(base::Result<void> result) {
        if (!result && !is_failing_) {
            log_.error(result.error().place.file + ": " + result.error().message +
                       "; records are held back and tried again");
            lost_before_ = file_.lost_records();
        } else if (result && is_failing_) {
            const std::uint64_t lost = file_.lost_records() - lost_before_;
            log_.warning(file_.current_path() + ": is written again, " +
                         (lost == 0 ? std::string("nothing was lost")
                                    : std::to_string(lost) + " records were lost"));
        }
        is_failing_ = !result;
        return result;
    }

    const FileKind& kind_;
    DatedFile file_;
    const OutputOptions& options_;
    base::Log& log_;
    const base::Clock& clock_;
    bool is_failing_ = false;
    std::uint64_t lost_before_ = 0;
};

Outputs::Outputs(std::string logs_folder, OutputOptions options, base::Log& log,
                 const base::Clock& clock)
    : logs_folder_(std::move(logs_folder)), log_(log), clock_(clock) {
    set_options(std::move(options));
}

Outputs::~Outputs() = default;

void Outputs::set_options(OutputOptions options) {
    options_ = std::move(options);
    for (const FileKind& kind : kFileKinds) {
        const auto open = std::find_if(files_.begin(), files_.end(),
                                       [&](const auto& file) { return &file->kind() == &kind; });
        if (!kind.is_enabled(options_) && open != files_.end()) {
            static_cast<void>((*open)->flush());
            files_.erase(open);
        } else if (kind.is_enabled(options_) && open == files_.end()) {
            files_.push_back(
                std::make_unique<FileSink>(kind, logs_folder_, options_, log_, clock_));
        }
    }
}

void Outputs::write_to(Stream stream, const Record& record, base::Timestamp time) {
    for (const auto& file : files_) {
        if (file->kind().stream == stream) {
            // Reported by the file; the others get the record all the same.
            static_cast<void>(file->write(record, time));
        }
    }
}

void Outputs::write(const Alert& alert) { write_to(Stream::Alerts, {nullptr, &alert}, alert.time); }

void Outputs::archive(const event::Event& event, const Alert* alert) {
    write_to(Stream::Events, {&event, alert}, event.received);
}

void Outputs::firewall(const event::Event& event) {
    write_to(Stream::Firewall, {&event, nullptr}, event.received);
}

bool Outputs::retry() {
    for (const auto& file : files_) {
        static_cast<void>(file->flush());
    }
    return !has_held_back();
}

bool Outputs::has_held_back() const {
    return std::any_of(files_.begin(), files_.end(),
                       [](const auto& file) { return file->has_held_back(); });
}

std::uint64_t Outputs::lost_records() const {
    std::uint64_t lost = 0;
    for (const auto& file : files_) {
        lost += file->lost_records();
    }
    return lost;
}

}  // namespace portcullis::alert
