// Makes the request to execd from an alert and a bound active-response block (spec:
// active_response, section 2). Pure functions.
//
// Only checks that the request makes sense. execd decides who may be blocked, and records it.
#pragma once

#include <string_view>

#include "base/response_message.hpp"
#include "base/result.hpp"
#include "engine/alert/alert.hpp"
#include "engine/respond/response_config.hpp"

namespace portcullis::respond {

// Diagnostic::code is the reason why there is no request:
//   "elsewhere"       the block runs on agents only: nothing to do on this host
//   "other-source"    <from_file> names other files than `source`
//   "missing-field"   the command expects srcip, user or filename and the alert has none
//   "crafted-field"   it has one, but with characters that none such has
// A srcip that is an address gets its canonical form; other text is passed on, so that execd
// refuses and records it. `source` is the file that the event was read from, which a line cannot
// choose; alert.location may come from the line.
base::Result<base::RespondRequest> make_request(const alert::Alert& alert,
                                                const ActiveResponseConfig& response,
                                                const CommandConfig& command,
                                                std::string_view source);

}  // namespace portcullis::respond
