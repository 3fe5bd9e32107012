// Explanation (--explain): each decoder and rule that was tried for an event, and whether it
// matched or why not. Pure functions of the records that were made while the event was analysed.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/logtest/decoding_record.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/rule_set.hpp"
#include "engine/rules/trace.hpp"

namespace portcullis::logtest {

// The sections "**Decoders tried:" and "**Rules tried:", each begun by an empty line. Rules are
// indented by their depth in the tree.
std::string explanation_text(const DecodingRecord& decoding, const rules::RuleSet& rules,
                             const rules::Trace& trace, const pipeline::Outcome& outcome,
                             pattern::MatchScratch& scratch);

// {"decoders_tried": [{decoder, place, step, matched, reach}], "rules_tried": [{rule, place,
// matched, miss}]}; `reach` and `miss` as in mismatch.hpp, null after a match.
nlohmann::ordered_json explanation_json(const DecodingRecord& decoding, const rules::Trace& trace,
                                        const pipeline::Outcome& outcome,
                                        pattern::MatchScratch& scratch);

}  // namespace portcullis::logtest
