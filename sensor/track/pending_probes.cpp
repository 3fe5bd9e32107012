#include "sensor/track/pending_probes.hpp"

namespace portcullis::sensor_track {
namespace {

using sensor_packet::Transport;

// Number of entries by which the prefetch of a bucket precedes the removal of its entry.
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

// The pair is a keyed hash already, so a multiplication is enough to mix the ports into it.
std::uint64_t key_of_ports(std::uint64_t pair, std::uint16_t source_port,
                           std::uint16_t destination_port, Transport transport) {
    const std::uint64_t ports = (std::uint64_t{source_port} << 18) |
                                (std::uint64_t{destination_port} << 2) | code_of(transport);
    return pair ^ (ports + 1) * 0x9e3779b97f4a7c15ULL;
}

}  // namespace

PendingProbes::PendingProbes(std::size_t capacity)
    : probes_(capacity), entries_(capacity), next_sequences_(capacity), buckets_(capacity * 2) {}

std::uint64_t PendingProbes::key_of(const Probe& probe) {
    return key_of_ports(probe.pair, probe.source_port, probe.destination_port,
                        transport_of(probe.probe));
}

PendingProbes::Link* PendingProbes::find_link(std::uint64_t key) {
    Link* link = &bucket_of(key);
    while (*link != kNone && entries_[*link - 1].key != key) {
        link = &entries_[*link - 1].next;
    }
    return link;
}

void PendingProbes::forget_oldest() {
    if (head_ - tail_ > kAhead) {
        __builtin_prefetch(&bucket_of(entries_[place_of(tail_ + kAhead)].key), 1);
    }
    Entry& entry = entries_[place_of(tail_)];
    if (entry.state != State::Free) {
        *find_link(entry.key) = entry.next;
        entry.state = State::Free;
    }
    ++tail_;
}

void PendingProbes::add(const Probe& probe) {
    const std::uint64_t key = key_of(probe);
    bool was_counted = probe.was_counted;
    Link* link = find_link(key);
    if (*link != kNone) {
        Entry& entry = entries_[*link - 1];
        Probe& known = probes_[*link - 1];
        if (entry.state == State::Pending && known.probe == probe.probe) {
            if (known.packets < 0xffff) {
                ++known.packets;
            }
            return;
        }
        // The probe was sent again, or another one with the same ports (a FIN after a SYN). An
        // answer cannot be attributed to one of the two, so the older one is dropped.
        was_counted = was_counted ||
                      ((entry.state == State::Unanswered || known.was_counted) &&
                       known.probe == probe.probe && known.arrival + kRetention >= probe.arrival);
        entry.state = State::Free;
        *link = entry.next;
    }
    if (head_ - tail_ == entries_.size()) {
        forget_oldest();
    }
    const std::size_t place = place_of(head_);
    Probe& added = probes_[place];
    added = probe;
    added.was_counted = was_counted;
    Link& bucket = bucket_of(key);
    entries_[place] = {key, bucket, State::Pending};
    bucket = static_cast<Link>(place + 1);
    ++head_;
}

std::optional<Probe> PendingProbes::take_answered(PairKey pair, std::uint16_t source_port,
                                                  std::uint16_t destination_port,
                                                  Transport transport, base::Timestamp now) {
    if (tail_ == head_) {
        return std::nullopt;
    }
    Link* link = find_link(key_of_ports(pair, source_port, destination_port, transport));
    if (*link == kNone) {
        return std::nullopt;
    }
    Entry& entry = entries_[*link - 1];
    if (entry.state == State::Accepted) {
        return std::nullopt;
    }
    Probe& probe = probes_[*link - 1];
    *link = entry.next;
    const bool is_late = entry.state == State::Unanswered;
    entry.state = State::Free;
    if (is_late && probe.arrival + kRetention < now) {
        return std::nullopt;
    }
    probe.was_counted = probe.was_counted || is_late;
    return probe;
}

std::optional<Probe> PendingProbes::accept(PairKey pair, std::uint16_t source_port,
                                           std::uint16_t destination_port,
                                           std::uint32_t next_sequence, base::Timestamp now) {
    if (tail_ == head_) {
        return std::nullopt;
    }
    const Link link = *find_link(key_of_ports(pair, source_port, destination_port, Transport::Tcp));
    if (link == kNone) {
        return std::nullopt;
    }
    Entry& entry = entries_[link - 1];
    const Probe& known = probes_[link - 1];
    if (entry.state == State::Accepted || known.arrival + kRetention < now) {
        return std::nullopt;
    }
    const bool is_late = entry.state == State::Unanswered;
    entry.state = State::Accepted;
    Probe probe = known;
    probe.was_counted = probe.was_counted || is_late;
    next_sequences_[link - 1] = next_sequence;
    return probe;
}

std::optional<Probe> PendingProbes::take_ended_connection(PairKey pair, std::uint16_t source_port,
                                                          std::uint16_t destination_port,
                                                          std::uint32_t sequence,
                                                          base::Timestamp now) {
    if (tail_ == head_) {
        return std::nullopt;
    }
    Link* link = find_link(key_of_ports(pair, source_port, destination_port, Transport::Tcp));
    if (*link == kNone || entries_[*link - 1].state != State::Accepted) {
        return std::nullopt;
    }
    const std::size_t place = *link - 1;
    Entry& entry = entries_[place];
    const Probe& probe = probes_[place];
    *link = entry.next;
    entry.state = State::Free;
    if (next_sequences_[place] != sequence || probe.arrival + kRetention < now) {
        return std::nullopt;
    }
    return probe;
}

std::optional<base::Timestamp> PendingProbes::next_deadline() {
    while (due_ != head_ && entries_[place_of(due_)].state != State::Pending) {
        ++due_;
    }
    if (due_ == head_) {
        return std::nullopt;
    }
    return probes_[place_of(due_)].arrival + kPatience;
}

const Probe& PendingProbes::pop_oldest() {
    const std::size_t place = place_of(due_);
    entries_[place].state = State::Unanswered;
    ++due_;
    return probes_[place];
}

}  // namespace portcullis::sensor_track
