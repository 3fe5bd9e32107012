#include "sensor/track/single_probe_table.hpp"

#include <algorithm>
#include <bit>

namespace portcullis::sensor_track {
namespace {

// Entries per bucket on average when the table is full. Half of the ways are spare, so that only
// one bucket in some thousands is ever full.
constexpr std::size_t kProbesPerBucket = 8;

}  // namespace

SingleProbeTable::SingleProbeTable(std::size_t capacity)
    : capacity_(std::max<std::size_t>(capacity, 1)),
      mask_(std::bit_ceil(capacity_) - 1),
      position_bits_(static_cast<std::uint32_t>(std::bit_ceil(mask_ + 2) - 1)),
      ring_(std::make_unique_for_overwrite<SingleProbe[]>(mask_ + 1)),
      buckets_(std::max<std::size_t>((mask_ + 1) / kProbesPerBucket, 1)) {}

SingleProbe* SingleProbeTable::find(PairKey pair, Second second) {
    const std::uint32_t tag = tag_of(pair);
    for (const std::uint32_t mark : bucket_of(pair).marks) {
        if (mark == 0) {
            return nullptr;
        }
        if ((mark & ~position_bits_) != tag) {
            continue;
        }
        SingleProbe& single = ring_[(mark & position_bits_) - 1];
        if (single.pair != pair) {
            continue;
        }
        if (single.expires_at > second) {
            return &single;
        }
        remove(single);
        return nullptr;
    }
    return nullptr;
}

SingleProbe* SingleProbeTable::find(PairKey pair, Second second, Place place) {
    if (size_ == 0) {
        return nullptr;
    }
    // The place may have been reused. A removed entry is marked as such.
    const std::uint64_t age = (head_ - 1 - place) & mask_;
    if (age < head_ - tail_) {
        SingleProbe& single = ring_[place & mask_];
        if (single.pair == pair && single.probe != ProbeClass::None && single.expires_at > second) {
            return &single;
        }
    }
    return find(pair, second);
}

std::uint32_t& SingleProbeTable::make_room(Bucket& bucket) {
    auto& marks = bucket.marks;
    auto* const free = std::find(marks.begin(), marks.end(), 0U);
    if (free != marks.end()) {
        return *free;
    }
    const auto age_of = [this](std::uint32_t mark) {
        return (head_ - (mark & position_bits_)) & mask_;
    };
    const auto* const oldest =
        std::max_element(marks.begin(), marks.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return age_of(a) < age_of(b); });
    ++evictions_;
    remove(ring_[(*oldest & position_bits_) - 1]);
    return bucket.marks.back();
}

SingleProbe& SingleProbeTable::add(const SingleProbe& single) {
    if (size_ == 0) {
        head_ = 0;
        tail_ = 0;
    }
    while (head_ - tail_ >= capacity_) {
        if (at(tail_).probe != ProbeClass::None) {
            ++evictions_;
        }
        pop_oldest();
    }
    std::uint32_t& mark = make_room(bucket_of(single.pair));
    SingleProbe& added = at(head_);
    added = single;
    mark = tag_of(single.pair) | static_cast<std::uint32_t>((head_ & mask_) + 1);
    ++head_;
    ++size_;
    return added;
}

void SingleProbeTable::remove(SingleProbe& single) {
    const std::uint32_t mark = tag_of(single.pair) | (place_of(single) + 1);
    auto& marks = bucket_of(single.pair).marks;
    auto* const found = std::find(marks.begin(), marks.end(), mark);
    auto* const last = std::find(found, marks.end(), 0U) - 1;
    *found = *last;
    *last = 0;
    single.probe = ProbeClass::None;
    --size_;
}

void SingleProbeTable::pop_oldest() {
    if (at(tail_).probe != ProbeClass::None) {
        remove(at(tail_));
    }
    ++tail_;
}

void SingleProbeTable::expire(Second second) {
    while (tail_ != head_ &&
           (at(tail_).probe == ProbeClass::None || at(tail_).expires_at <= second)) {
        pop_oldest();
    }
}

void SingleProbeTable::clear() {
    while (tail_ != head_) {
        pop_oldest();
    }
}

}  // namespace portcullis::sensor_track
