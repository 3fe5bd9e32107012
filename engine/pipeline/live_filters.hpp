// Filters of the daemon between decoding and rules; logtest does not use them.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "engine/event/event.hpp"

namespace portcullis::pipeline {

// Remembers the last three distinct syslog messages (spec: rules, section 11.0). Used by one
// thread.
class RepeatFilter {
  public:
    // False if `event` is of type syslog and its full log equals one of them; else a syslog event
    // is remembered.
    bool admit_and_remember(const event::Event& event);
    void clear();

  private:
    std::array<std::string, 3> last_;  // empty = none yet
    std::size_t next_ = 0;
};

// Firewall events (spec: decoders, section 10): an event of that type gets its action spelt DROP,
// CLOSED, ALLOW or UNKNOWN. False = it lacks action, srcip, dstip or protocol and is to be dropped.
// Any other event stays as it is (true).
bool normalize_firewall_event(event::Event& event);

}  // namespace portcullis::pipeline
