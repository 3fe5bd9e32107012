// The output of portcullis-logtest for one line: OSSEC's three phases as text, byte for byte (spec:
// logtest, section 3), or an object. Pure functions of an Outcome.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/trace.hpp"

namespace portcullis::logtest {

// `trace`: nullptr = without the rule trace of -v. `has_program_decoders`: there is a decoder with
// a program name; without any, OSSEC prints no second phase for an event that has one.
std::string phases_text(const pipeline::Outcome& outcome, const rules::Trace* trace,
                        bool has_program_decoders = true);

// Keys: full_event_fields {full_event, hostname, program_name, log}, decoder, fields (labels as in
// the text; the last value of a label), rule, level, description, info, groups, alert; null where
// there is none. Valid JSON for any bytes: bytes that are not UTF-8 become U+FFFD.
nlohmann::ordered_json phases_json(const pipeline::Outcome& outcome);

}  // namespace portcullis::logtest
