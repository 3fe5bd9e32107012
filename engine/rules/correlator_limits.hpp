// CorrelatorLimits: how much the rules remember; ossec.conf and internal_options.conf set it.
#pragma once

#include <cstddef>

namespace portcullis::rules {

struct CorrelatorLimits {
    std::size_t events = 8192;  // memory_size: recent events with a result, 2048 at least
    // Bytes of those events, with their records; the newest event is always kept.
    std::size_t bytes = std::size_t{16} << 20;
    std::size_t sid_history = 128;  // events in the history of one if_matched_sid
    // First-time-seen keys of events of type ids: the number of recent keys that a new one is
    // compared with, and the length of the common beginning beyond which two keys are similar.
    std::size_t recent_keys = 32;
    std::size_t similar_prefix = 14;
};

}  // namespace portcullis::rules
