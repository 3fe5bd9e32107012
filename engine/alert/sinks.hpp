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
    std::string_view name;  // of a file: below logs/, e.g. "alerts/alerts.log"
    std::string_view help;
    Stream stream;
    bool (*is_enabled)(const OutputOptions& options);
    std::unique_ptr<AlertSink> (*make)(const SinkRow& row, const SinkContext& context);
};

std::span<const SinkRow> sink_rows();

}  // namespace portcullis::alert
