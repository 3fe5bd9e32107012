// What an <active-response> makes of an event: whether it listens to the file that the event was
// read from, and which block fits the evidence. Pure functions; logtest shows what they say, and
// execd decides by the same words.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/evidence.hpp"
#include "engine/respond/response_config.hpp"

namespace portcullis::respond {

// Whether `response` fires for events read from `source`, the name of the file as the engine opened
// it ("/var/log/iplog"): always without <from_file>. Paths in from_files are those of the home
// already, and may be the location of a <localfile> as written, with a date or a glob.
bool listens_to(const ActiveResponseConfig& response, std::string_view source);

// "not from /var/log/iplog or /srv/iplog": why a response that does not listen to a file is silent.
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
