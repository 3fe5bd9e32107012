#include "sensor/packet/reassembler.hpp"

#include <algorithm>
#include <bit>

#include "sensor/packet/header_sizes.hpp"

namespace portcullis::sensor_packet {
namespace {

// Time after a complete datagram in which another piece is taken for a piece of it. Identifications
// repeat after 65 536 datagrams, and no host sends as many in this time.
constexpr std::chrono::seconds kLatePieces{2};

// Pieces from several interfaces may be out of order; a clock that goes back by more was set.
constexpr std::chrono::seconds kClockTolerance{10};

}  // namespace

Reassembler::Reassembler(const ReassemblyLimits& limits)
    : limits_(limits), buckets_(std::bit_ceil(std::max<std::size_t>(limits.datagrams, 1)), kNone) {}

Reassembler::Fit Reassembler::fit_of(const Datagram& datagram, Range piece, std::size_t& at) {
    const auto& ranges = datagram.ranges;
    // Pieces mostly arrive in order: then this one is behind all others.
    if (ranges.empty() || ranges.back().end <= piece.begin) {
        at = ranges.size();
        return Fit::Free;
    }
    const auto first =
        std::upper_bound(ranges.begin(), ranges.end(), piece.begin,
                         [](std::uint16_t begin, const Range& range) { return begin < range.end; });
    at = static_cast<std::size_t>(first - ranges.begin());
    if (piece.end <= first->begin) {
        return Fit::Free;
    }
    if (piece.begin == first->begin && piece.end == first->end) {
        return Fit::Same;
    }
    if (piece.begin < first->begin) {
        return Fit::Conflicts;
    }
    auto last = first;
    while (piece.end > last->end && last + 1 != ranges.end() && (last + 1)->begin == last->end) {
        ++last;
    }
    return piece.end <= last->end ? Fit::Inside : Fit::Conflicts;
}

FragmentEvent Reassembler::compare_with_complete(const Datagram& datagram, Range piece,
                                                 const Fragment& fragment) {
    if (piece.end > datagram.end || (!fragment.more_follow && piece.end != datagram.end)) {
        return FragmentEvent::None;  // of another datagram with the same identification
    }
    std::size_t at = 0;
    switch (fit_of(datagram, piece, at)) {
        case Fit::Same:
            return datagram.head.agrees(fragment.offset, fragment.bytes) ? FragmentEvent::Duplicate
                                                                         : FragmentEvent::None;
        case Fit::Free:
            return FragmentEvent::None;
        case Fit::Inside:
        case Fit::Conflicts:
            break;
    }
    return FragmentEvent::Overlapping;
}

FragmentResult Reassembler::add(const Packet& piece, const Fragment& fragment,
                                base::Timestamp now) {
    FragmentResult result;
    const bool is_v4 = piece.source.is_v4();
    Fragment part = fragment;
    if (part.more_follow && part.length % 8 != 0) {
        if (!is_v4) {
            ++counters_.malformed;  // RFC 8200 section 4.5
            return result;
        }
        part.length -= part.length % 8;  // bytes behind could not be addressed
        part.bytes = part.bytes.first(std::min<std::size_t>(part.bytes.size(), part.length));
    }
    if (part.length == 0) {
        ++counters_.malformed;
        return result;
    }
    const Key key{piece.source, piece.destination, part.identification,
                  is_v4 ? part.protocol : std::uint8_t{0}};
    std::uint32_t index = find(key);
    if (index != kNone && is_over(datagrams_[index], now)) {
        counters_.expired += datagrams_[index].is_complete ? 0 : 1;
        remove(index);
        index = kNone;
    }
    if (part.offset + part.length > kLongestDatagram) {
        result.event = FragmentEvent::Oversized;
        ++counters_.discarded;
        if (index != kNone) {
            remove(index);
        }
        return result;
    }
    const Range range{static_cast<std::uint16_t>(part.offset),
                      static_cast<std::uint16_t>(part.offset + part.length)};
    bool is_reported = false;
    if (index != kNone && datagrams_[index].is_complete) {
        result.event = compare_with_complete(datagrams_[index], range, part);
        is_reported = result.event != FragmentEvent::None;
        remove(index);
        index = kNone;
    }
    if (index == kNone) {
        index = obtain(key, now);
        datagrams_[index].is_reported = is_reported;
    }
    mark_used(index);
    Datagram& datagram = datagrams_[index];

    std::size_t at = 0;
    const Fit fit = fit_of(datagram, range, at);
    const bool is_end_wrong = part.more_follow ? datagram.has_end && range.end > datagram.end
                                               : (datagram.has_end && range.end != datagram.end) ||
                                                     range.end < datagram.end;
    if (fit != Fit::Free && !datagram.is_reported) {
        datagram.is_reported = true;
        const bool is_duplicate =
            fit == Fit::Same && !is_end_wrong && datagram.head.agrees(part.offset, part.bytes);
        result.event = is_duplicate ? FragmentEvent::Duplicate : FragmentEvent::Overlapping;
    }
    if (fit == Fit::Conflicts || is_end_wrong) {
        ++(fit == Fit::Free ? counters_.malformed : counters_.discarded);
        remove(index);
        return result;
    }
    if (fit != Fit::Free) {
        return result;
    }

    datagram.ranges.insert(datagram.ranges.begin() + static_cast<std::ptrdiff_t>(at), range);
    datagram.received += part.length;
    datagram.end = std::max(datagram.end, std::uint32_t{range.end});
    datagram.has_end |= !part.more_follow;
    datagram.head.add(part.offset, part.bytes,
                      !part.more_follow && part.bytes.size() == part.length,
                      is_v4 ? DatagramHead::kIpv4Limit : DatagramHead::kLimit);
    if (part.offset == 0) {
        datagram.first = piece;
        datagram.protocol = part.protocol;
        datagram.has_first = true;
    }
    account(datagram);
    make_room(index);
    if (!datagram.has_end || datagram.received != datagram.end) {
        return result;
    }
    datagram.is_complete = true;
    datagram.started = now;
    ++counters_.completed;
    result.is_complete = true;
    result.packet = datagram.first;
    parse_reassembled(datagram.head.known(datagram.end), datagram.end, datagram.protocol,
                      result.packet, result.view);
    return result;
}

bool Reassembler::is_over(const Datagram& datagram, base::Timestamp now) const {
    const auto age = now - datagram.started;
    return age < -kClockTolerance || age >= (datagram.is_complete ? kLatePieces : limits_.lifetime);
}

std::uint32_t& Reassembler::bucket_of(const Key& key) {
    const std::uint64_t hash = hash_.of(key.source, key.destination,
                                        (std::uint64_t{key.identification} << 8) | key.protocol);
    return buckets_[hash & (buckets_.size() - 1)];
}

std::uint32_t Reassembler::find(const Key& key) {
    std::uint32_t index = bucket_of(key);
    while (index != kNone && datagrams_[index].key != key) {
        index = datagrams_[index].next_in_bucket;
    }
    return index;
}

std::uint32_t Reassembler::obtain(const Key& key, base::Timestamp now) {
    if (size_ >= limits_.datagrams && oldest_ != kNone) {
        const Datagram& oldest = datagrams_[oldest_];
        const bool is_over_now = is_over(oldest, now);
        counters_.expired += is_over_now && !oldest.is_complete ? 1 : 0;
        counters_.evicted += !is_over_now && !oldest.is_complete ? 1 : 0;
        remove(oldest_);
    }
    if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(datagrams_.size()));
        datagrams_.emplace_back();
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    Datagram& datagram = datagrams_[index];
    datagram = Datagram();
    datagram.key = key;
    datagram.started = now;
    std::uint32_t& bucket = bucket_of(key);
    datagram.next_in_bucket = bucket;
    bucket = index;
    link_newest(index);
    ++size_;
    return index;
}

void Reassembler::link_newest(std::uint32_t index) {
    Datagram& datagram = datagrams_[index];
    datagram.older = newest_;
    datagram.newer = kNone;
    (newest_ == kNone ? oldest_ : datagrams_[newest_].newer) = index;
    newest_ = index;
}

void Reassembler::unlink(std::uint32_t index) {
    const Datagram& datagram = datagrams_[index];
    (datagram.older == kNone ? oldest_ : datagrams_[datagram.older].newer) = datagram.newer;
    (datagram.newer == kNone ? newest_ : datagrams_[datagram.newer].older) = datagram.older;
}

void Reassembler::mark_used(std::uint32_t index) {
    if (newest_ != index) {
        unlink(index);
        link_newest(index);
    }
}

void Reassembler::remove(std::uint32_t index) {
    Datagram& datagram = datagrams_[index];
    std::uint32_t* link = &bucket_of(datagram.key);
    while (*link != index) {
        link = &datagrams_[*link].next_in_bucket;
    }
    *link = datagram.next_in_bucket;
    unlink(index);
    memory_ -= datagram.memory;
    datagram = Datagram();
    free_.push_back(index);
    --size_;
}

void Reassembler::account(Datagram& datagram) {
    const std::size_t memory = datagram.ranges.capacity() * sizeof(Range) + datagram.head.memory();
    memory_ += memory - datagram.memory;
    datagram.memory = memory;
}

void Reassembler::make_room(std::uint32_t kept) {
    while (memory_ > limits_.bytes && oldest_ != kept) {
        counters_.evicted += datagrams_[oldest_].is_complete ? 0 : 1;
        remove(oldest_);
    }
}

}  // namespace portcullis::sensor_packet
