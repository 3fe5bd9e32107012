// Outputs: owns the sinks that a configuration asks for, and gives each the items of its stream.
//
// A sink that a reload switches off while it holds records back gets no more items. It stays, and
// is closed when its records are written.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/alert/sinks.hpp"

namespace portcullis::alert {

// Not thread-safe.
class Outputs {
  public:
    // `logs_folder` (<home>/logs) and its subfolders alerts, archives and firewall must exist.
    // `log` and `clock` must outlive it.
    Outputs(std::string logs_folder, OutputOptions options, base::Log& log,
            const base::Clock& clock);
    ~Outputs() = default;
    Outputs(const Outputs&) = delete;
    Outputs& operator=(const Outputs&) = delete;

    // Writes an alert to every sink of alerts; readers see it when this returns.
    void write(const Alert& alert);
    // Writes an event to the archives, if there are any. `alert`: the event's; nullptr = none.
    void archive(const event::Event& event, const Alert* alert);
    // Writes a firewall event to firewall.log, if the configuration asks for it.
    void firewall(const event::Event& event);

    // Tries again to write the items that are held back. True = all are written.
    bool retry();
    // Whether a sink holds items back, one that is switched off included.
    bool has_held_back() const;
    // Number of items that were lost since the start, those of closed sinks included.
    std::uint64_t lost_records() const;

    // After a reload: opens the sinks that are asked for now and switches the others off.
    void set_options(OutputOptions options);

  private:
    struct OpenSink {
        const SinkRow* row;
        std::unique_ptr<AlertSink> sink;
        bool is_enabled = true;  // by the current options
    };
    // Closes the sinks that are switched off and hold nothing back.
    void close_drained();
    void write_to(Stream stream, const StreamItem& item);

    std::string logs_folder_;
    OutputOptions options_;
    base::Log& log_;
    const base::Clock& clock_;
    std::vector<OpenSink> sinks_;  // at most one of each row
    std::uint64_t lost_of_closed_ = 0;
};

}  // namespace portcullis::alert
