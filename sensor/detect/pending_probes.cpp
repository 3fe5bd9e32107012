#include "sensor/detect/pending_probes.hpp"

namespace portcullis::sensor_detect {
namespace {

bool is_datagram_probe(const Probe& probe) { return probe.probe == ProbeClass::Datagram; }

}  // namespace

PendingProbes::PendingProbes(std::size_t capacity)
    : slots_(capacity), buckets_(capacity * 2, kNone) {}

std::uint32_t* PendingProbes::bucket_of(std::uint32_t source, std::uint16_t source_port,
                                        std::uint16_t destination_port, bool is_datagram) {
    const std::uint64_t key = (std::uint64_t{source} << 33) | (std::uint64_t{source_port} << 17) |
                              (std::uint64_t{destination_port} << 1) | (is_datagram ? 1U : 0U);
    return &buckets_[hash_.of(key) & (buckets_.size() - 1)];
}

std::uint32_t* PendingProbes::find_link(std::uint32_t source, std::uint16_t source_port,
                                        std::uint16_t destination_port, bool is_datagram) {
    std::uint32_t* link = bucket_of(source, source_port, destination_port, is_datagram);
    while (*link != kNone) {
        Slot& slot = slots_[*link];
        if (slot.probe.source == source && slot.probe.source_port == source_port &&
            slot.probe.destination_port == destination_port &&
            is_datagram_probe(slot.probe) == is_datagram) {
            break;
        }
        link = &slot.next;
    }
    return link;
}

void PendingProbes::add(const Probe& probe) {
    std::uint32_t* link = find_link(probe.source, probe.source_port, probe.destination_port,
                                    is_datagram_probe(probe));
    if (*link != kNone) {
        Probe& known = slots_[*link].probe;
        if (known.source_generation == probe.source_generation && known.probe == probe.probe) {
            if (known.packets < 0xffff) {
                ++known.packets;
            }
            return;
        }
        // The same ports for another purpose (a FIN after a SYN): the older question is dropped,
        // one answer could not be told from the other.
        slots_[*link].is_pending = false;
        *link = slots_[*link].next;
    }
    std::uint32_t* bucket = bucket_of(probe.source, probe.source_port, probe.destination_port,
                                      is_datagram_probe(probe));
    Slot& slot = slot_at(head_);
    slot.probe = probe;
    slot.next = *bucket;
    slot.is_pending = true;
    *bucket = static_cast<std::uint32_t>(head_ & (slots_.size() - 1));
    ++head_;
}

std::optional<Probe> PendingProbes::settle(std::uint32_t source, std::uint16_t source_port,
                                           std::uint16_t destination_port, bool is_datagram) {
    std::uint32_t* link = find_link(source, source_port, destination_port, is_datagram);
    if (*link == kNone) {
        return std::nullopt;
    }
    Slot& slot = slots_[*link];
    *link = slot.next;
    slot.is_pending = false;
    return slot.probe;
}

std::optional<base::Timestamp> PendingProbes::next_deadline() {
    while (tail_ != head_ && !slot_at(tail_).is_pending) {
        ++tail_;
    }
    if (tail_ == head_) {
        return std::nullopt;
    }
    return slot_at(tail_).probe.arrival + kPatience;
}

Probe PendingProbes::pop_oldest() {
    const Probe probe = slot_at(tail_).probe;
    settle(probe.source, probe.source_port, probe.destination_port, is_datagram_probe(probe));
    ++tail_;
    return probe;
}

}  // namespace portcullis::sensor_detect
