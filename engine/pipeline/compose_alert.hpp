// compose_alert: makes the Alert of an event and its rule, a value that owns its text.
#pragma once

#include <cstdint>

#include "engine/alert/alert.hpp"
#include "engine/event/event.hpp"
#include "engine/rules/correlator.hpp"
#include "engine/rules/rule.hpp"

namespace portcullis::pipeline {

// `correlator` has the earlier lines of this event's composite rule or check_diff; `fired_times`
// counts this time too. The id is left 0.
alert::Alert compose_alert(const event::Event& event, const rules::Rule& rule,
                           std::uint32_t fired_times, const rules::Correlator& correlator);

}  // namespace portcullis::pipeline
