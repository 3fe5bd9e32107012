#include "engine/alert/sinks.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/alert/dated_file.hpp"
#include "engine/alert/record_formats.hpp"

namespace portcullis::alert {
namespace {

constexpr std::array kFileKinds{
    FileKind{"alerts/alerts.log", "ossec-alerts", ".log", "alerts, as text of several lines",
             [](const OutputOptions&) { return true; }, alert_as_text, nullptr},
    FileKind{"alerts/alerts.json", "ossec-alerts", ".json", "alerts, one JSON object a line",
             [](const OutputOptions& options) { return options.alerts_json; }, alert_as_json,
             nullptr},
    FileKind{"archives/archives.log", "ossec-archive", ".log", "every event, a line each",
             [](const OutputOptions& options) { return options.archives; }, nullptr, event_as_text},
    FileKind{
        "archives/archives.json", "ossec-archive", ".json", "every event, one JSON object a line",
        [](const OutputOptions& options) { return options.archives_json; }, nullptr, event_as_json},
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
    FileSink(const FileKind& kind, const std::string& logs_folder, base::Log& log,
             const base::Clock& clock)
        : kind_(kind), file_(dated_file_of(logs_folder, kind)), log_(log), clock_(clock) {
        report(file_.open(clock_.now()));
    }

    base::Result<void> write(const Alert& alert) override {
        return report(file_.append(kind_.format_alert(alert), alert.time));
    }
    base::Result<void> write_event(const event::Event& event, const Alert* alert) {
        return report(file_.append(kind_.format_event(event, alert), event.received));
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
    base::Log& log_;
    const base::Clock& clock_;
    bool is_failing_ = false;
    std::uint64_t lost_before_ = 0;
};

Outputs::Outputs(std::string logs_folder, OutputOptions options, base::Log& log,
                 const base::Clock& clock)
    : logs_folder_(std::move(logs_folder)), options_(options), log_(log), clock_(clock) {
    set_options(options);
}

Outputs::~Outputs() = default;

void Outputs::set_options(OutputOptions options) {
    options_ = options;
    for (const FileKind& kind : kFileKinds) {
        auto& files = kind.format_alert != nullptr ? alert_files_ : event_files_;
        const auto open = std::find_if(files.begin(), files.end(),
                                       [&](const auto& file) { return &file->kind() == &kind; });
        if (!kind.is_enabled(options) && open != files.end()) {
            files.erase(open);
        } else if (kind.is_enabled(options) && open == files.end()) {
            files.push_back(std::make_unique<FileSink>(kind, logs_folder_, log_, clock_));
        }
    }
}

void Outputs::write(const Alert& alert) {
    for (const auto& file : alert_files_) {
        // Reported by the file; the other files get the alert all the same.
        static_cast<void>(file->write(alert));
    }
}

void Outputs::archive(const event::Event& event, const Alert* alert) {
    for (const auto& file : event_files_) {
        static_cast<void>(file->write_event(event, alert));
    }
}

bool Outputs::retry() {
    for (const auto* files : {&alert_files_, &event_files_}) {
        for (const auto& file : *files) {
            static_cast<void>(file->flush());
        }
    }
    return !has_held_back();
}

bool Outputs::has_held_back() const {
    const auto holds_back = [](const auto& file) { return file->has_held_back(); };
    return std::any_of(alert_files_.begin(), alert_files_.end(), holds_back) ||
           std::any_of(event_files_.begin(), event_files_.end(), holds_back);
}

std::uint64_t Outputs::lost_records() const {
    std::uint64_t lost = 0;
    for (const auto* files : {&alert_files_, &event_files_}) {
        for (const auto& file : *files) {
            lost += file->lost_records();
        }
    }
    return lost;
}

}  // namespace portcullis::alert
