// The texts of alerts and events in files (docs/alert-formats.md; spec: alerts, sections 2 to 4).
// Each function returns one complete record with its final newline.
#pragma once

#include <string>

#include "engine/alert/alert.hpp"
#include "engine/event/event.hpp"

namespace portcullis::alert {

// Longer log lines are cut in alerts.log.
inline constexpr std::size_t kMaxLoggedLine = 1256;

std::string alert_as_text(const Alert& alert);
std::string alert_as_json(const Alert& alert);

// `alert`: the alert of the event; nullptr = none.
std::string event_as_text(const event::Event& event, const Alert* alert);
// Of a firewall event that has an action, a protocol and both addresses.
std::string firewall_event_as_text(const event::Event& event);
std::string event_as_json(const event::Event& event, const Alert* alert);

}  // namespace portcullis::alert
