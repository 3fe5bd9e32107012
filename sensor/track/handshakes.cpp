#include "sensor/track/handshakes.hpp"

namespace portcullis::sensor_track {

bool Handshakes::complete(const Flow& flow, std::uint32_t acknowledgement, Second second) {
    const RecentKeys::Entry* offer = offers_.find(key_of(flow));
    if (offer == nullptr || offer->value != acknowledgement ||
        offer->second + kProofMemory < second) {
        return false;
    }
    note_proof(flow.theirs, second);
    return true;
}

bool Handshakes::confirm(const Flow& flow, Second second) {
    const RecentKeys::Entry* offer = offers_.find(key_of(flow));
    if (offer == nullptr || offer->second + kProofMemory < second) {
        return false;
    }
    note_proof(flow.theirs, second);
    return true;
}

}  // namespace portcullis::sensor_track
