#include "sensor/detect/pending_probes.hpp"

namespace portcullis::sensor_detect {
namespace {

using sensor_packet::Transport;

// Slots before the oldest one is forgotten for which its bucket is fetched.
constexpr std::size_t kAhead = 4;

std::uint64_t code_of(Transport transport) {
    switch (transport) {
        case Transport::Tcp:
            return 0;
        case Transport::Udp:
            return 1;
        case Transport::Sctp:
            return 3;
        default:
            return 2;
    }
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

void PendingProbes::forget_oldest() {
    if (head_ - tail_ > kAhead) {
        __builtin_prefetch(&buckets_[slot_at(tail_ + kAhead).key & (buckets_.size() - 1)], 1);
    }
    Slot& slot = slot_at(tail_);
    if (slot.state != State::Free) {
        *find_link(slot.key) = slot.next;
        slot.state = State::Free;
    }
    ++tail_;
}

void PendingProbes::add(const Probe& probe) {
    const std::uint64_t key = key_of(probe);
    bool was_counted = probe.was_counted;
    std::uint32_t* link = find_link(key);
    if (*link != kNone) {
        Slot& known = slots_[*link];
        if (known.state == State::Pending && known.probe.probe == probe.probe) {
            if (known.probe.packets < 0xffff) {
                ++known.probe.packets;
            }
            return;
        }
        // Sent again, or the same ports for another purpose (a FIN after a SYN): an answer cannot
        // be attributed to one of two, so the older one is dropped.
        was_counted =
            was_counted ||
            ((known.state == State::Unanswered || known.probe.was_counted) &&
             known.probe.probe == probe.probe && known.probe.arrival + kRetention >= probe.arrival);
        known.state = State::Free;
        *link = known.next;
    }
    if (head_ - tail_ == slots_.size()) {
        forget_oldest();
    }
    std::uint32_t& bucket = buckets_[key & (buckets_.size() - 1)];
    Slot& slot = slot_at(head_);
    slot.probe = probe;
    slot.probe.was_counted = was_counted;
    slot.key = key;
    slot.next = bucket;
    slot.state = State::Pending;
    bucket = static_cast<std::uint32_t>(head_ & (slots_.size() - 1));
    ++head_;
}

std::optional<Probe> PendingProbes::settle(std::uint64_t pair, std::uint16_t source_port,
                                           std::uint16_t destination_port, Transport transport,
                                           base::Timestamp now) {
    if (tail_ == head_) {
        return std::nullopt;
    }
    std::uint32_t* link = find_link(key_of_ports(pair, source_port, destination_port, transport));
    if (*link == kNone) {
        return std::nullopt;
    }
    Slot& slot = slots_[*link];
    if (slot.state == State::Accepted) {
        return std::nullopt;
    }
    *link = slot.next;
    const bool is_late = slot.state == State::Unanswered;
    slot.state = State::Free;
    if (is_late && slot.probe.arrival + kRetention < now) {
        return std::nullopt;
    }
    slot.probe.was_counted = slot.probe.was_counted || is_late;
    return slot.probe;
}

std::optional<Probe> PendingProbes::accept(std::uint64_t pair, std::uint16_t source_port,
                                           std::uint16_t destination_port,
                                           std::uint32_t next_sequence, base::Timestamp now) {
    if (tail_ == head_) {
        return std::nullopt;
    }
    const std::uint32_t* link =
        find_link(key_of_ports(pair, source_port, destination_port, Transport::Tcp));
    if (*link == kNone) {
        return std::nullopt;
    }
    Slot& slot = slots_[*link];
    if (slot.state == State::Accepted || slot.probe.arrival + kRetention < now) {
        return std::nullopt;
    }
    const bool is_late = slot.state == State::Unanswered;
    slot.state = State::Accepted;
    Probe probe = slot.probe;
    probe.was_counted = probe.was_counted || is_late;
    slot.probe.contact = next_sequence;  // a search at that place finds nothing else
    return probe;
}

std::optional<Probe> PendingProbes::end_connection(std::uint64_t pair, std::uint16_t source_port,
                                                   std::uint16_t destination_port,
                                                   std::uint32_t sequence, base::Timestamp now) {
    if (tail_ == head_) {
        return std::nullopt;
    }
    std::uint32_t* link =
        find_link(key_of_ports(pair, source_port, destination_port, Transport::Tcp));
    if (*link == kNone || slots_[*link].state != State::Accepted) {
        return std::nullopt;
    }
    Slot& slot = slots_[*link];
    *link = slot.next;
    slot.state = State::Free;
    if (slot.probe.contact != sequence || slot.probe.arrival + kRetention < now) {
        return std::nullopt;
    }
    return slot.probe;
}

std::optional<base::Timestamp> PendingProbes::next_deadline() {
    while (due_ != head_ && slot_at(due_).state != State::Pending) {
        ++due_;
    }
    if (due_ == head_) {
        return std::nullopt;
    }
    return slot_at(due_).probe.arrival + kPatience;
}

Probe PendingProbes::pop_oldest() {
    Slot& slot = slot_at(due_);
    slot.state = State::Unanswered;
    ++due_;
    return slot.probe;
}

}  // namespace portcullis::sensor_detect
