// CheckedRequest: a request for a ban after its form was checked: what Executor decides about, and
// what waits in DeferredRequests. A plain value.
#pragma once

#include <optional>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "engine/execd/ban.hpp"
#include "engine/execd/execd_config.hpp"
#include "engine/execd/records.hpp"

namespace portcullis::execd {

struct CheckedRequest {
    Ban ban;  // `since` and `until` are not set yet
    std::optional<base::Cidr> target;
    Binding binding;  // that it was made by; of the administrator's requests empty
    bool is_manual = false;
    base::Timestamp evidence_time;  // its time counts from then
    // Of a request that was deferred: since when it waits, and how often the same was asked for.
    std::optional<base::Timestamp> deferred_at;
    int reports = 0;
    int ports = 0;  // that the event names; of a request that was deferred: those of all reports
    std::optional<std::chrono::seconds> short_timeout;  // all that it gets under pressure
    bool is_offender = false;  // its address was banned before for what is proven
    Record record;             // with the steps so far
};

// When its evidence is too old to block anything; kNever for one without a timeout.
inline base::Timestamp expiry_of(const CheckedRequest& request) {
    return end_after(request.evidence_time, request.ban.timeout);
}

}  // namespace portcullis::execd
