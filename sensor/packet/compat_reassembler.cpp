#include "sensor/packet/compat_reassembler.hpp"

#include <algorithm>
#include <chrono>

#include "sensor/packet/header_sizes.hpp"

namespace portcullis::sensor_packet {

FragmentEvent CompatReassembler::insert(Datagram& datagram, Piece piece) {
    auto& pieces = datagram.pieces;
    const auto next = std::lower_bound(
        pieces.begin(), pieces.end(), piece.begin,
        [](const Piece& other, std::uint32_t begin) { return other.begin < begin; });
    if (next != pieces.end() && next->begin == piece.begin) {
        return FragmentEvent::Duplicate;
    }
    const bool overlaps_previous = next != pieces.begin() && piece.begin < (next - 1)->end;
    if (next == pieces.end()) {
        if (overlaps_previous) {
            return FragmentEvent::Overlapping;
        }
    } else {
        // It looks at the piece behind the next one instead of the next one.
        const bool overlaps_second = next + 1 != pieces.end() && piece.end > (next + 1)->begin;
        if (overlaps_previous || overlaps_second) {
            return FragmentEvent::OverlappingInserted;
        }
    }
    pieces.insert(next, piece);
    return FragmentEvent::None;
}

CompatReassembler::Place CompatReassembler::obtain(const Packet& piece, const Fragment& fragment) {
    const auto place =
        std::find_if(datagrams_.begin(), datagrams_.end(), [&](const Datagram& datagram) {
            return datagram.identification == fragment.identification &&
                   datagram.protocol == fragment.protocol && datagram.source == piece.source &&
                   datagram.destination == piece.destination;
        });
    if (place != datagrams_.end()) {
        return place;
    }
    if (datagrams_.size() >= kMaxDatagrams) {
        ++counters_.evicted;
        datagrams_.pop_front();
    }
    Datagram& datagram = datagrams_.emplace_back();
    datagram.source = piece.source;
    datagram.destination = piece.destination;
    datagram.identification = fragment.identification;
    datagram.protocol = fragment.protocol;
    return std::prev(datagrams_.end());
}

FragmentResult CompatReassembler::add(const Packet& piece, const Fragment& fragment,
                                      base::Timestamp now) {
    FragmentResult result;
    const std::int64_t second =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    if (second != second_) {
        counters_.expired += datagrams_.size();
        datagrams_.clear();
        second_ = second;
    }
    const auto place = obtain(piece, fragment);
    Datagram& datagram = *place;
    result.event = fragment.offset + fragment.length > kLongestDatagram
                       ? FragmentEvent::Oversized
                       : insert(datagram, {fragment.offset, fragment.offset + fragment.length});
    if (result.event != FragmentEvent::None) {
        ++counters_.discarded;
        datagrams_.erase(place);
        return result;
    }
    datagram.received += fragment.length;
    datagram.head.add(fragment.offset, fragment.bytes,
                      !fragment.more_follow && fragment.bytes.size() == fragment.length,
                      piece.source.is_v4() ? DatagramHead::kIpv4Limit : DatagramHead::kLimit);
    if (fragment.offset == 0) {
        datagram.first = piece;
        datagram.has_first = true;
    }
    if (!fragment.more_follow) {
        datagram.end = fragment.offset + fragment.length;
        datagram.has_last = true;
    }
    if (!datagram.has_first || !datagram.has_last || datagram.received != datagram.end) {
        return result;
    }
    ++counters_.completed;
    complete_ = std::move(datagram);
    datagrams_.erase(place);
    result.is_complete = true;
    result.packet = complete_.first;
    parse_reassembled(complete_.head.known(complete_.end), complete_.end, complete_.protocol,
                      result.packet, result.view);
    return result;
}

}  // namespace portcullis::sensor_packet
