// Why a pattern or a rule does not match, as sentences and as objects; shared by --explain and
// --why-not. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/diagnostic.hpp"
#include "engine/event/event.hpp"
#include "engine/pattern/pattern.hpp"
#include "engine/rules/rule.hpp"
#include "engine/rules/trace.hpp"

namespace portcullis::logtest {

// Indentation of the two marked lines of a mismatch, in the texts of --explain and --why-not.
inline constexpr std::string_view kMarkIndent = "           ";

// "etc/decoder.xml:12"; "built in" if the place is not known.
std::string shown_place(const base::SourcePlace& place);

// "match 'denied' does not match 'opened'". If a part of the pattern fits, lines follow that show
// how far, each begun by a newline and `indent`:
//     pattern  from (\S+) port
//                         ^
//     text     denied from 192.0.2.1 prt 22
//                     ~~~~~~~~~~~~~~~~^
std::string pattern_mismatch_text(std::string_view element, const pattern::Pattern& pattern,
                                  std::string_view subject, std::string_view indent,
                                  pattern::MatchScratch& scratch);
// {"pattern", "text", "pattern_begin", "pattern_end", "text_begin", "text_end"}, offsets in bytes:
// as in pattern::FurthestMatch; null where it is not known.
nlohmann::ordered_json pattern_mismatch_json(const pattern::Pattern& pattern,
                                             std::string_view subject,
                                             pattern::MatchScratch& scratch);

// Why `rule` does not match: `mismatch`, the first demand that `event` does not meet. Lines as
// above.
std::string rule_mismatch_text(const rules::Rule& rule, const rules::Mismatch& mismatch,
                               const event::Event& event, std::string_view indent,
                               pattern::MatchScratch& scratch);
// {"condition", "demand", "value"} and, for a pattern, "reach" as above; or {"condition":
// "earlier events", "needed", "counted", "seen", "stopped_by"}.
nlohmann::ordered_json rule_mismatch_json(const rules::Rule& rule, const rules::Mismatch& mismatch,
                                          const event::Event& event,
                                          pattern::MatchScratch& scratch);

}  // namespace portcullis::logtest
