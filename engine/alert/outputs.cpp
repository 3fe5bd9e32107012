#include "engine/alert/outputs.hpp"

#include <algorithm>
#include <utility>

namespace portcullis::alert {

Outputs::Outputs(std::string logs_folder, OutputOptions options, base::Log& log,
                 const base::Clock& clock)
    : logs_folder_(std::move(logs_folder)), log_(log), clock_(clock) {
    set_options(std::move(options));
}

void Outputs::set_options(OutputOptions options) {
    options_ = std::move(options);
    for (const SinkRow& row : sink_rows()) {
        const auto open = std::find_if(sinks_.begin(), sinks_.end(),
                                       [&](const OpenSink& each) { return each.row == &row; });
        const bool is_enabled = row.is_enabled(options_);
        if (open != sinks_.end()) {
            open->is_enabled = is_enabled;
        } else if (is_enabled) {
            sinks_.push_back({&row, row.make(row, {logs_folder_, options_, log_, clock_})});
        }
    }
    for (const OpenSink& each : sinks_) {
        if (!each.is_enabled) {
            each.sink->retry();
        }
    }
    close_drained();
}

void Outputs::close_drained() {
    std::erase_if(sinks_, [this](const OpenSink& each) {
        const bool is_closed = !each.is_enabled && !each.sink->has_held_back();
        lost_of_closed_ += is_closed ? each.sink->lost_items() : 0;
        return is_closed;
    });
}

void Outputs::write_to(Stream stream, const StreamItem& item) {
    for (const OpenSink& each : sinks_) {
        if (each.is_enabled && each.row->stream == stream) {
            each.sink->write(item);
        }
    }
}

void Outputs::write(const Alert& alert) { write_to(Stream::Alerts, {nullptr, &alert}); }

void Outputs::archive(const event::Event& event, const Alert* alert) {
    write_to(Stream::Events, {&event, alert});
}

void Outputs::firewall(const event::Event& event) { write_to(Stream::Firewall, {&event, nullptr}); }

bool Outputs::retry() {
    for (const OpenSink& each : sinks_) {
        each.sink->retry();
    }
    close_drained();
    return !has_held_back();
}

bool Outputs::has_held_back() const {
    return std::any_of(sinks_.begin(), sinks_.end(),
                       [](const OpenSink& each) { return each.sink->has_held_back(); });
}

std::uint64_t Outputs::lost_records() const {
    std::uint64_t lost = lost_of_closed_;
    for (const OpenSink& each : sinks_) {
        lost += each.sink->lost_items();
    }
    return lost;
}

}  // namespace portcullis::alert
