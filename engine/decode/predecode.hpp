// Pre-decoding: separates the header of a line from its text (spec: predecoding).
#pragma once

#include <string_view>

#include "engine/event/event.hpp"

namespace portcullis::decode {

// Sets `log`, `hostname`, `program_name` and `has_header_hostname` of an event that was just reset.
// A line whose header has no host gets `local_hostname`, which must outlive the event's content. An
// event from an agent (its location begins with '(') gets its location as host name.
void predecode(event::Event& event, std::string_view local_hostname);

}  // namespace portcullis::decode
