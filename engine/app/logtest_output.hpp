// What portcullis-logtest prints for one line: OSSEC's three phases as text (spec: logtest,
// section 3), or one JSON object. Pure functions of an Outcome.
#pragma once

#include <string>

#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/trace.hpp"

namespace portcullis::app {

// `trace`: nullptr = without the rule trace of -v.
std::string logtest_text(const pipeline::Outcome& outcome, const rules::Trace* trace);

// One line, ended by '\n'. Keys: full_event_fields {full_event, hostname, program_name, log},
// decoder, fields (labels as in the text; the last value of a label), rule, level, description,
// info, groups, alert; null where there is none. Valid JSON for any bytes: what is no UTF-8 is
// replaced by U+FFFD.
std::string logtest_json(const pipeline::Outcome& outcome);

}  // namespace portcullis::app
