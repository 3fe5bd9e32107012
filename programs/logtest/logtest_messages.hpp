// logtest's own messages, in OSSEC's words (spec: logtest, section 3): programs that drive
// ossec-logtest wait for them. All go to standard error.
#pragma once

#include <string_view>

#include "programs/configuration.hpp"

namespace portcullis::programs {

// The lines at the start. `is_quiet` leaves out decoder files that ossec.conf names.
void announce(const HomeConfiguration& configuration, bool is_quiet);
// -d: a line with time and level.
void debug_message(std::string_view text);

}  // namespace portcullis::programs
