// What an <active-response> does for an event: whether it applies to the file that the event was
// read from, and which block fits the evidence. Pure functions; logtest shows their results, and
// execd decides with the same words.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/evidence.hpp"
#include "engine/respond/response_config.hpp"

namespace portcullis::respond {

// Whether `response` fires for events read from `source`, the name of the file as the engine opened
// it ("/var/log/iplog"): always true without <from_file>. Paths in from_files are already resolved
// against the home, and may be the location of a <localfile> as written, with a date or a glob.
bool listens_to(const ActiveResponseConfig& response, std::string_view source);

// The reason why a response does not apply to a file: "not from /var/log/iplog or /srv/iplog".
std::string other_source_text(const ActiveResponseConfig& response);

struct PlannedBlock {
    base::BlockKind kind = base::BlockKind::Hard;
    std::chrono::seconds timeout{0};  // 0 = permanent

    bool operator==(const PlannedBlock&) const = default;
};

// nullopt = no block: <block>auto</block> and doubtful evidence.
std::optional<PlannedBlock> planned_block(const ActiveResponseConfig& response,
                                          base::Evidence evidence);

}  // namespace portcullis::respond
