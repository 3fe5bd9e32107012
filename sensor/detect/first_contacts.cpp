#include "sensor/detect/first_contacts.hpp"

#include <algorithm>
#include <bit>

namespace portcullis::sensor_detect {

FirstContacts::FirstContacts(std::size_t capacity)
    : capacity_(std::max<std::size_t>(capacity, 1)),
      mask_(std::bit_ceil(capacity_) - 1),
      ring_(std::make_unique_for_overwrite<Contact[]>(mask_ + 1)),
      chains_(mask_ + 1, kNone) {}

Contact* FirstContacts::find(std::uint64_t pair, std::uint32_t second) {
    for (std::uint32_t index = chain_of(pair); index != kNone; index = ring_[index].next) {
        if (ring_[index].pair == pair) {
            if (ring_[index].expires_at > second) {
                return &ring_[index];
            }
            remove(ring_[index]);
            return nullptr;
        }
    }
    return nullptr;
}

Contact& FirstContacts::add(const Contact& contact) {
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
    Contact& added = at(head_);
    added = contact;
    std::uint32_t& chain = chain_of(contact.pair);
    added.next = chain;
    chain = static_cast<std::uint32_t>(head_ & mask_);
    ++head_;
    ++size_;
    return added;
}

void FirstContacts::remove(Contact& contact) {
    const auto index = static_cast<std::uint32_t>(&contact - ring_.get());
    std::uint32_t* link = &chain_of(contact.pair);
    while (*link != index) {
        link = &ring_[*link].next;
    }
    *link = contact.next;
    contact.probe = ProbeClass::None;
    --size_;
}

void FirstContacts::pop_oldest() {
    if (at(tail_).probe != ProbeClass::None) {
        remove(at(tail_));
    }
    ++tail_;
}

void FirstContacts::expire(std::uint32_t second) {
    while (tail_ != head_ &&
           (at(tail_).probe == ProbeClass::None || at(tail_).expires_at <= second)) {
        pop_oldest();
    }
}

void FirstContacts::clear() {
    while (tail_ != head_) {
        pop_oldest();
    }
}

}  // namespace portcullis::sensor_detect
