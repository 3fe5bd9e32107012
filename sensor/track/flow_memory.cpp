#include "sensor/track/flow_memory.hpp"

#include <algorithm>

namespace portcullis::sensor_track {

std::uint64_t FlowMemory::fingerprint_of(const Flow& flow) const {
    const std::uint64_t rest = (std::uint64_t{flow.our_port} << 24) |
                               (std::uint64_t{flow.their_port} << 8) |
                               static_cast<std::uint64_t>(flow.transport);
    return hash_.of(flow.ours, flow.theirs, rest);
}

void FlowMemory::remember(const Flow& flow, Second second) {
    const std::uint64_t fingerprint = fingerprint_of(flow);
    Bucket& bucket = buckets_[fingerprint % kBuckets];
    Entry* place = &bucket.front();
    for (Entry& entry : bucket) {
        if (entry.fingerprint == fingerprint) {
            place = &entry;
            break;
        }
        if (entry.second < place->second) {
            place = &entry;
        }
    }
    *place = Entry{fingerprint, second};
    is_empty_ = false;
}

bool FlowMemory::knows(const Flow& flow, Second second, std::uint32_t max_age) const {
    const std::uint32_t sent = last(flow);
    return sent != 0 && sent + max_age >= second;
}

std::uint32_t FlowMemory::last(const Flow& flow) const {
    if (is_empty_) {
        return 0;
    }
    const std::uint64_t fingerprint = fingerprint_of(flow);
    for (const Entry& entry : buckets_[fingerprint % kBuckets]) {
        if (entry.fingerprint == fingerprint) {
            return entry.second;
        }
    }
    return 0;
}

}  // namespace portcullis::sensor_track
