// The responses that are bound to a rule: whether each fires for the event, and the block that fits
// the evidence. Pure functions of an Outcome.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/pipeline/analyzer.hpp"
#include "engine/respond/response_config.hpp"

namespace portcullis::logtest {

// One line for each bound response:
//   **Response: firewall-drop for 120 s, soft block (forgeable evidence)
//   **No response: firewall-drop: not from /var/log/iplog
//   **No response: firewall-drop: doubtful evidence
// Outcome::responses holds indices into `responses`; `source` is the file of the event.
std::vector<std::string> response_lines(const pipeline::Outcome& outcome,
                                        const std::vector<respond::ActiveResponseConfig>& responses,
                                        std::string_view source);

// Members "evidence" (null: no alert, or one that is not about packets) and "responses".
nlohmann::ordered_json responses_json(const pipeline::Outcome& outcome,
                                      const std::vector<respond::ActiveResponseConfig>& responses,
                                      std::string_view source);

}  // namespace portcullis::logtest
