#include "sensor/detect/pending_probes.hpp"

namespace portcullis::sensor_detect {
namespace {

using sensor_packet::Transport;

std::uint64_t code_of(Transport transport) {
    return transport == Transport::Tcp ? 0 : transport == Transport::Udp ? 1 : 2;
}

// The pair is a keyed hash already; the ports only have to be spread over it.
std::uint64_t key_of_ports(std::uint64_t pair, std::uint16_t source_port,
                           std::uint16_t destination_port, Transport transport) {
    const std::uint64_t ports = (std::uint64_t{source_port} << 18) |
                                (std::uint64_t{destination_port} << 2) | code_of(transport);
    return pair ^ (ports + 1) * 0x9e3779b97f4a7c15ULL;
}

}  // namespace

PendingProbes::PendingProbes(std::size_t capacity)
    : slots_(capacity), buckets_(capacity * 2, kNone) {}

std::uint64_t PendingProbes::key_of(const Probe& probe) {
    return key_of_ports(probe.pair, probe.source_port, probe.destination_port,
                        transport_of(probe.probe));
}

std::uint32_t* PendingProbes::find_link(std::uint64_t key) {
    std::uint32_t* link = &buckets_[key & (buckets_.size() - 1)];
    while (*link != kNone && slots_[*link].key != key) {
        link = &slots_[*link].next;
    }
    return link;
}

void PendingProbes::add(const Probe& probe) {
    const std::uint64_t key = key_of(probe);
    std::uint32_t* link = find_link(key);
    if (*link != kNone) {
        Slot& known = slots_[*link];
        if (known.probe.probe == probe.probe) {
            if (known.probe.packets < 0xffff) {
                ++known.probe.packets;
            }
            return;
        }
        // The same ports for another purpose (a FIN after a SYN): the older question is dropped,
        // one answer could not be told from the other.
        known.is_pending = false;
        *link = known.next;
    }
    std::uint32_t& bucket = buckets_[key & (buckets_.size() - 1)];
    Slot& slot = slot_at(head_);
    slot.probe = probe;
    slot.key = key;
    slot.next = bucket;
    slot.is_pending = true;
    bucket = static_cast<std::uint32_t>(head_ & (slots_.size() - 1));
    ++head_;
}

std::optional<Probe> PendingProbes::settle(std::uint64_t pair, std::uint16_t source_port,
                                           std::uint16_t destination_port, Transport transport) {
    if (tail_ == head_) {
        return std::nullopt;
    }
    std::uint32_t* link = find_link(key_of_ports(pair, source_port, destination_port, transport));
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
    Slot& slot = slot_at(tail_);
    *find_link(slot.key) = slot.next;
    slot.is_pending = false;
    ++tail_;
    return slot.probe;
}

}  // namespace portcullis::sensor_detect
