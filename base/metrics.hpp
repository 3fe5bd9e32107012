// Metric: one number that a daemon publishes. A daemon has one table of these, which its status
// file and its documentation (docs/counters.md, checked by a test) are made from.
#pragma once

#include <cstdint>
#include <string_view>

namespace portcullis::base {

enum class MetricKind {
    Counter,  // only grows, from 0 at the start of the daemon
    Gauge,    // a state, which may go up and down
};

// `Source`: what the daemon keeps its numbers in.
template <typename Source>
struct Metric {
    std::string_view name;  // in status files: lower case, digits and '_'
    MetricKind kind;
    std::string_view help;  // one clause for a person, without a full stop
    std::uint64_t (*get)(const Source& source);
};

}  // namespace portcullis::base
