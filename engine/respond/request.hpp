// From an alert and a bound active-response block to the request that execd gets (spec:
// active_response, section 2). Pure functions.
//
// What is checked here is that the request makes sense; who may be blocked is execd's decision,
// which also leaves the record of it.
#pragma once

#include <string_view>

#include "base/response_message.hpp"
#include "base/result.hpp"
#include "engine/alert/alert.hpp"
#include "engine/respond/response_config.hpp"

namespace portcullis::respond {

// Why there is no request, as Diagnostic::code:
//   "elsewhere"       the block runs on agents only: nothing to do on this host
//   "other-source"    <from_file> names other files than `source`
//   "missing-field"   the command expects srcip, user or filename and the alert has none
//   "crafted-field"   it has one, but with characters that none such has
// An srcip that is an address comes out in its canonical form; other text is passed on, for execd
// to refuse it on the record.
// `source` is the file that the event was read from, which a line cannot choose; alert.location may
// come from the line.
base::Result<base::RespondRequest> make_request(const alert::Alert& alert,
                                                const ActiveResponseConfig& response,
                                                const CommandConfig& command,
                                                std::string_view source);

}  // namespace portcullis::respond
