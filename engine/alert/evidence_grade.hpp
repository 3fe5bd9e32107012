// grade_of: how reliable the address of an event is as evidence. A pure function.
//
// The sensor writes it into the notes at the end of its lines, which decoders put into the field
// "status": "again, forgeable" (docs/iplog-line-format.md, docs/responding-safely.md).
#pragma once

#include <optional>
#include <string_view>

#include "base/evidence.hpp"

namespace portcullis::alert {

// The facts that decide the grade of an event.
struct GradedEvent {
    std::string_view rule_group;  // group string of the rule: "syslog,errors,iplog,"
    std::string_view decoder;
    std::string_view decoder_parent;
    std::optional<std::string_view> status;
};

// The grade of an event about packets: its rule is in the group iplog, or the name of its decoder
// or of the decoder's parent is iplog or begins with "iplog-", as those of the published decoders.
// The first of the words proven, forgeable and doubtful among its notes counts. Without such a word
// it is Doubtful if a note gives a reason for doubt (an older sensor), otherwise Forgeable. nullopt
// = the event is not about packets: a program logged it, the address counts as proven, and its text
// cannot change that.
std::optional<base::Evidence> grade_of(const GradedEvent& event);

}  // namespace portcullis::alert
