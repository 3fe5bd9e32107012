// CheckedRequest: a request for a ban whose form was checked. BanPolicy decides about it; it may
// wait in DeferredRequests. A plain value.
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
    Binding binding;  // that it was made by; empty in the administrator's requests
    bool is_manual = false;
    base::Timestamp evidence_time;  // the time of the ban counts from here
    // Of a deferred request: the begin of its waiting, and the number of requests for the same ban.
    std::optional<base::Timestamp> deferred_at;
    int reports = 0;
    int ports = 0;  // that the event names; of a deferred request: of all its reports
    std::optional<std::chrono::seconds> short_timeout;  // under pressure: its longest time
    bool is_offender = false;  // its address was banned before for proven evidence
    Record record;             // with the steps of the decision so far
};

// When the evidence is too old to block anything; kNever if the ban has no timeout.
inline base::Timestamp expiry_of(const CheckedRequest& request) {
    return end_after(request.evidence_time, request.ban.timeout);
}

}  // namespace portcullis::execd
