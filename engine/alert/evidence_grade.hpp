// grade_of: how much the address of an event is worth as evidence. A pure function.
//
// The sensor says it in the notes at the end of its lines, which decoders put into the field
// "status": "again, forgeable" (docs/iplog-line-format.md, docs/responding-safely.md).
#pragma once

#include <optional>
#include <string_view>

#include "base/evidence.hpp"

namespace portcullis::alert {

// What the grade of an event depends on.
struct GradedEvent {
    std::string_view rule_group;  // group string of the rule: "syslog,errors,iplog,"
    std::string_view decoder;
    std::string_view decoder_parent;
    std::optional<std::string_view> status;
};

// The grade of an event about packets: of a rule in the group iplog, or of a decoder whose name or
// whose parent's name is iplog or begins with "iplog-", as the published decoders'. The first of
// the words proven, forgeable and doubtful among its notes counts. Without such a word it is
// Doubtful if a note says what raises doubts (an older sensor), else Forgeable.
// nullopt = the event is not about packets: a program logged it, the address counts as proven, and
// its text cannot change that.
std::optional<base::Evidence> grade_of(const GradedEvent& event);

}  // namespace portcullis::alert
