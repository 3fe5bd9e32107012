// The table of what alerts and events are written to, and Outputs, which writes to all that a
// configuration asks for. To add a file: a row in sinks.cpp; to add another kind of sink:
// implement AlertSink.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "engine/alert/alert.hpp"
#include "engine/event/event.hpp"

namespace portcullis::alert {

// What ossec.conf says about outputs.
struct OutputOptions {
    bool alerts_json = false;       // <jsonout_output>
    bool archives = false;          // <logall>
    bool archives_json = false;     // <logall_json>
    bool firewall = false;          // log_fw of internal_options.conf
    std::string alert_format = {};  // <custom_alert_output>; empty = OSSEC's records
    bool operator==(const OutputOptions&) const = default;
};

// What a file has records of.
enum class Stream {
    Alerts,
    Events,    // each that was analysed
    Firewall,  // each of type firewall, before any rule
};

// What a record is made of.
struct Record {
    const event::Event* event = nullptr;  // of streams Events and Firewall
    const Alert* alert = nullptr;         // of stream Alerts; of an event, if it has one
};

struct FileKind {
    std::string_view current_name;  // below logs/, e.g. "alerts/alerts.log"
    std::string_view prefix;        // of the dated files
    std::string_view extension;
    std::string_view help;
    Stream stream;
    bool (*is_enabled)(const OutputOptions& options);
    std::string (*format)(const Record& record, const OutputOptions& options);
};

std::span<const FileKind> file_kinds();

// Not thread-safe. Errors are logged once per episode and file, and so is their end.
class Outputs {
  public:
    // `logs_folder` (<home>/logs) and its subfolders alerts, archives and firewall must exist.
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

    // Writes a firewall event to firewall.log, if that is asked for.
    void firewall(const event::Event& event);

    // Tries again what could not be written. True = nothing is held back any more.
    bool retry();
    bool has_held_back() const;
    std::uint64_t lost_records() const;

    // After a reload: opens what is asked for now and closes the rest.
    void set_options(OutputOptions options);

  private:
    class FileSink;

    void write_to(Stream stream, const Record& record, base::Timestamp time);

    std::string logs_folder_;
    OutputOptions options_;
    base::Log& log_;
    const base::Clock& clock_;
    std::vector<std::unique_ptr<FileSink>> files_;  // the enabled ones
};

}  // namespace portcullis::alert
