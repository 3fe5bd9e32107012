#include "sensor/track/source_table.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace portcullis::sensor_track {
namespace {

// Time for which a pair without a counter (a traceroute, a bogus packet) is stored, in seconds.
constexpr std::uint32_t kKeepWithoutCounter = 60;

// The pool of counters has room for this many per pair on average.
constexpr std::size_t kCountersPerPair = 2;

}  // namespace

SourceTable::SourceTable(std::size_t capacity, Extents* extents)
    : extents_(extents),
      states_(std::max<std::size_t>(capacity, 1)),
      counters_(std::max<std::size_t>(capacity, 1) * kCountersPerPair + kScanKindCount),
      chains_(std::bit_ceil(std::max<std::size_t>(capacity, 1)), kNoIndex) {
    wheel_.fill(kNoIndex);
}

SourceIndex SourceTable::search(PairKey pair) {
    SourceIndex index = chain_of(pair);
    while (index != kNoIndex && states_[index].pair != pair) {
        index = states_[index].chain_next;
    }
    if (index != kNoIndex) {
        latest_ = index;
    }
    return index;
}

void SourceTable::mark_seen(SourceIndex index, Second second) {
    if (states_[index].last_seen != second) {
        states_[index].last_seen = second;
        unlink_age(index);
        link_newest(index);
    }
}

SourceIndex SourceTable::make(PairKey pair, const base::IpAddress& source,
                              const base::IpAddress& destination, Second second) {
    if (states_.taken() == 0) {
        swept_ = std::max(swept_, second);
    }
    const auto index = states_.take();
    SourceState& state = states_[*index];
    state.pair = pair;
    state.source = source;
    state.destination = destination;
    state.made = made_++;
    state.last_seen = second;
    std::uint32_t& chain = chain_of(pair);
    state.chain_next = chain;
    chain = *index;
    link_newest(*index);
    schedule(*index, second + kKeepWithoutCounter);
    latest_ = *index;
    return *index;
}

Counter* SourceTable::find_counter(SourceIndex index, ScanKind kind) {
    for (std::uint32_t i = states_[index].first_counter; i != kNoIndex; i = counters_[i].next) {
        if (counters_[i].kind == kind) {
            return &counters_[i];
        }
    }
    return nullptr;
}

Counter& SourceTable::obtain_counter(SourceIndex index, ScanKind kind, Second expires_at) {
    if (Counter* known = find_counter(index, kind)) {
        known->expires_at = std::max(known->expires_at, expires_at);
        return *known;
    }
    const auto taken = counters_.take();
    Counter& counter = counters_[*taken];
    counter.kind = kind;
    counter.expires_at = expires_at;
    SourceState& state = states_[index];
    counter.next = state.first_counter;
    state.first_counter = *taken;
    if (expires_at < state.check_at) {
        unschedule(index);
        schedule(index, expires_at);
    }
    return counter;
}

void SourceTable::mark_scanning(SourceIndex index) {
    if (states_[index].is_scanning) {
        return;
    }
    unlink_age(index);
    states_[index].is_scanning = true;
    link_newest(index);
}

std::optional<Second> SourceTable::next_sweep() const {
    if (states_.taken() == 0) {
        return std::nullopt;
    }
    for (std::uint32_t ahead = 1; ahead < kSlots; ++ahead) {
        if (wheel_[(swept_ + ahead) % kSlots] != kNoIndex) {
            return swept_ + ahead;
        }
    }
    return swept_ + kSlots;
}

bool SourceTable::begin_check(Second second) {
    while (checked_ == kNoIndex && swept_ < second) {
        if (states_.taken() == 0) {
            swept_ = second;
            return false;
        }
        ++swept_;
        checked_ = std::exchange(wheel_[swept_ % kSlots], kNoIndex);
    }
    return checked_ != kNoIndex;
}

const Counter* SourceTable::take_counter(SourceState& state, Second expired_at) {
    std::uint32_t* link = &state.first_counter;
    while (*link != kNoIndex) {
        const std::uint32_t at = *link;
        Counter& counter = counters_[at];
        if (counter.expires_at <= expired_at) {
            *link = counter.next;
            counters_.give_back(at);
            return &counter;
        }
        link = &counter.next;
    }
    return nullptr;
}

void SourceTable::end_check(SourceIndex index) {
    SourceState& state = states_[index];
    Second next_check = kNoIndex;
    bool is_scanning = false;
    for_each_counter(index, [&](const Counter& counter) {
        next_check = std::min(next_check, counter.expires_at);
        is_scanning = is_scanning || counter.is_detected;
    });
    if (next_check == kNoIndex && state.last_seen + kKeepWithoutCounter > swept_) {
        next_check = state.last_seen + kKeepWithoutCounter;
    }
    if (next_check == kNoIndex) {
        drop(index);
        return;
    }
    if (state.is_scanning && !is_scanning) {
        unlink_age(index);
        state.is_scanning = false;
        link_newest(index);
    }
    schedule(index, next_check);
}

std::optional<SourceTable::Ended> SourceTable::take_expired(Second second) {
    while (begin_check(second)) {
        const SourceIndex index = checked_;
        SourceState& state = states_[index];
        if (const Counter* expired = take_counter(state, swept_)) {
            return Ended{state, *expired};
        }
        checked_ = std::exchange(state.slot_next, kNoIndex);
        state.slot_previous = kNoIndex;
        end_check(index);
    }
    return std::nullopt;
}

std::optional<SourceTable::Ended> SourceTable::take_any() {
    for (AgeList& list : ages_) {
        while (list.oldest != kNoIndex) {
            const SourceIndex index = list.oldest;
            SourceState& state = states_[index];
            if (const Counter* counter = take_counter(state, std::numeric_limits<Second>::max())) {
                return Ended{state, *counter};
            }
            unschedule(index);
            drop(index);
        }
    }
    swept_ = 0;  // the next pair sets it, whatever its time
    return std::nullopt;
}

// Drops a pair that is not in the wheel, and its counters.
void SourceTable::drop(SourceIndex index) {
    SourceState& state = states_[index];
    std::uint32_t counter = state.first_counter;
    while (counter != kNoIndex) {
        const SourceIndex following = counters_[counter].next;
        counters_.give_back(counter);
        counter = following;
    }
    std::uint32_t* link = &chain_of(state.pair);
    while (*link != index) {
        link = &states_[*link].chain_next;
    }
    *link = state.chain_next;
    unlink_age(index);
    if (state.extent != kNoIndex) {
        extents_->give_back(state.extent);
    }
    if (latest_ == index) {
        latest_ = kNoIndex;
    }
    states_.give_back(index);
}

SourceIndex SourceTable::next_victim(SourceIndex spared) const {
    for (const AgeList& list : ages_) {
        SourceIndex victim = list.oldest;
        if (victim != kNoIndex && victim == spared) {
            victim = states_[victim].newer;
        }
        if (victim != kNoIndex) {
            return victim;
        }
    }
    return kNoIndex;  // the pools have room for more than one pair, so there is always another one
}

void SourceTable::evict(SourceIndex index) {
    if (states_[index].is_scanning) {
        ++scan_evictions_;
    }
    ++evictions_;
    unschedule(index);
    drop(index);
}

void SourceTable::link_newest(SourceIndex index) {
    SourceState& state = states_[index];
    AgeList& list = list_of(state);
    state.older = list.newest;
    state.newer = kNoIndex;
    (list.newest == kNoIndex ? list.oldest : states_[list.newest].newer) = index;
    list.newest = index;
}

void SourceTable::unlink_age(SourceIndex index) {
    SourceState& state = states_[index];
    AgeList& list = list_of(state);
    (state.older == kNoIndex ? list.oldest : states_[state.older].newer) = state.newer;
    (state.newer == kNoIndex ? list.newest : states_[state.newer].older) = state.older;
}

void SourceTable::schedule(SourceIndex index, Second second) {
    SourceState& state = states_[index];
    // A time beyond the wheel: the pair is checked early and scheduled again.
    state.check_at = std::clamp(second, swept_ + 1, swept_ + kSlots - 1);
    std::uint32_t& slot = wheel_[state.check_at % kSlots];
    state.slot_previous = kNoIndex;
    state.slot_next = slot;
    if (slot != kNoIndex) {
        states_[slot].slot_previous = index;
    }
    slot = index;
}

void SourceTable::unschedule(SourceIndex index) {
    SourceState& state = states_[index];
    if (state.slot_previous == kNoIndex) {
        wheel_[state.check_at % kSlots] = state.slot_next;
    } else {
        states_[state.slot_previous].slot_next = state.slot_next;
    }
    if (state.slot_next != kNoIndex) {
        states_[state.slot_next].slot_previous = state.slot_previous;
    }
}

}  // namespace portcullis::sensor_track
