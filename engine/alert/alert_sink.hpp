// AlertSink: the seam for everything that alerts and events are written to.
//
// A sink takes the items of one stream. Outputs owns the sinks that the configuration asks for; the
// table of all kinds is in sinks.cpp. One thread.
#pragma once

#include <cstdint>

#include "engine/alert/alert.hpp"
#include "engine/event/event.hpp"

namespace portcullis::alert {

// The items that a sink gets.
enum class Stream {
    Alerts,
    Events,    // every analysed event
    Firewall,  // every event of type firewall, before any rule
};

struct StreamItem {
    const event::Event* event = nullptr;  // of streams Events and Firewall
    const Alert* alert = nullptr;         // of stream Alerts; in Events, the event's alert, if any

    base::Timestamp time() const { return event != nullptr ? event->received : alert->time; }
};

class AlertSink {
  public:
    AlertSink() = default;
    virtual ~AlertSink() = default;
    AlertSink(const AlertSink&) = delete;
    AlertSink& operator=(const AlertSink&) = delete;

    // Writes one item; readers see it when this returns. An item that cannot be written is held
    // back up to a bound, and lost beyond it. The sink itself logs once that it fails, and once
    // that it works again.
    virtual void write(const StreamItem& item) = 0;
    // Tries again to write the items that are held back.
    virtual void retry() = 0;
    virtual bool has_held_back() const = 0;
    // Number of items that were lost since the start.
    virtual std::uint64_t lost_items() const = 0;
};

}  // namespace portcullis::alert
