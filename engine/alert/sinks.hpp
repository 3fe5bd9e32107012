// The table of what alerts and events are written to, and Outputs, which writes to all that a
// configuration asks for. To add a file: a row in sinks.cpp; to add another kind of sink:
// implement AlertSink.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/alert/alert.hpp"
#include "engine/base/clock.hpp"
#include "engine/base/log.hpp"
#include "engine/event/event.hpp"

namespace portcullis::alert {

// What ossec.conf says about outputs.
struct OutputOptions {
    bool alerts_json = false;    // <jsonout_output>
    bool archives = false;       // <logall>
    bool archives_json = false;  // <logall_json>
    bool operator==(const OutputOptions&) const = default;
};

struct FileKind {
    std::string_view current_name;  // below logs/, e.g. "alerts/alerts.log"
    std::string_view prefix;        // of the dated files
    std::string_view extension;
    std::string_view help;
    bool (*is_enabled)(const OutputOptions& options);
    // One of the two: a record for each alert, or for each event (with its alert or nullptr).
    std::string (*format_alert)(const Alert& alert);
    std::string (*format_event)(const event::Event& event, const Alert* alert);
};

std::span<const FileKind> file_kinds();

// Not thread-safe. Errors are logged once per episode and file, and so is their end.
class Outputs {
  public:
    // `logs_folder` (<home>/logs) and its subfolders alerts and archives must exist.
    // `log` and `clock` must outlive it.
    Outputs(std::string logs_folder, OutputOptions options, base::Log& log,
            const base::Clock& clock);
    ~Outputs();
    Outputs(const Outputs&) = delete;
    Outputs& operator=(const Outputs&) = delete;

    // Writes an alert to every file of alerts. It is readable when this returns.
    void write(const Alert& alert);
    // Writes an event to the archives, if there are any.
    void archive(const event::Event& event, const Alert* alert);

    // Tries again what could not be written. True = nothing is held back any more.
    bool retry();
    bool has_held_back() const;
    std::uint64_t lost_records() const;

    // After a reload: opens what is asked for now and closes the rest.
    void set_options(OutputOptions options);

  private:
    class FileSink;

    std::string logs_folder_;
    OutputOptions options_;
    base::Log& log_;
    const base::Clock& clock_;
    std::vector<std::unique_ptr<FileSink>> alert_files_;
    std::vector<std::unique_ptr<FileSink>> event_files_;
};

}  // namespace portcullis::alert
