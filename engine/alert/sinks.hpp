// The table of sinks: what alerts and events can be written to. To add one: implement AlertSink in
// a file of its own (a file needs none: see FileSink) and add a row to sinks.cpp.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "engine/alert/alert_sink.hpp"
#include "engine/alert/output_options.hpp"

namespace portcullis::alert {

// What sinks are made with. All that it refers to outlives them; `options` change at a reload.
struct SinkContext {
    const std::string& logs_folder;  // <home>/logs
    const OutputOptions& options;
    base::Log& log;
    const base::Clock& clock;
};

struct SinkRow {
    // Of a file: below logs/, e.g. "alerts/alerts.log". Each row has a name of its own: two sinks
    // of one file would mix up the order of the records that they hold back.
    std::string_view name;
    std::string_view help;
    Stream stream;
    bool (*is_enabled)(const OutputOptions& options);
    std::unique_ptr<AlertSink> (*make)(const SinkRow& row, const SinkContext& context);
};

std::span<const SinkRow> sink_rows();

}  // namespace portcullis::alert
