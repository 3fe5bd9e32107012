#include "sensor/detect/first_contacts.hpp"

#include <algorithm>
#include <bit>

namespace portcullis::sensor_detect {
namespace {

// Contacts to a bucket on average when all are taken. With half of the ways, a bucket in some
// thousands is ever full.
constexpr std::size_t kContactsPerBucket = 8;

}  // namespace

FirstContacts::FirstContacts(std::size_t capacity)
    : capacity_(std::max<std::size_t>(capacity, 1)),
      mask_(std::bit_ceil(capacity_) - 1),
      position_bits_(static_cast<std::uint32_t>(std::bit_ceil(mask_ + 2) - 1)),
      ring_(std::make_unique_for_overwrite<Contact[]>(mask_ + 1)),
      buckets_(std::max<std::size_t>((mask_ + 1) / kContactsPerBucket, 1)) {}

Contact* FirstContacts::find(std::uint64_t pair, std::uint32_t second) {
    const std::uint32_t tag = tag_of(pair);
    for (const std::uint32_t mark : bucket_of(pair).marks) {
        if (mark == 0) {
            return nullptr;
        }
        if ((mark & ~position_bits_) != tag) {
            continue;
        }
        Contact& contact = ring_[(mark & position_bits_) - 1];
        if (contact.pair != pair) {
            continue;
        }
        if (contact.expires_at > second) {
            return &contact;
        }
        remove(contact);
        return nullptr;
    }
    return nullptr;
}

Contact* FirstContacts::find(std::uint64_t pair, std::uint32_t second, Place place) {
    if (size_ == 0) {
        return nullptr;
    }
    // Whatever was written there last, a removed contact is marked as such.
    const std::uint64_t age = (head_ - 1 - place) & mask_;
    if (age < head_ - tail_) {
        Contact& contact = ring_[place & mask_];
        if (contact.pair == pair && contact.probe != ProbeClass::None &&
            contact.expires_at > second) {
            return &contact;
        }
    }
    return find(pair, second);
}

std::uint32_t& FirstContacts::make_room(Bucket& bucket) {
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
    std::uint32_t& mark = make_room(bucket_of(contact.pair));
    Contact& added = at(head_);
    added = contact;
    mark = tag_of(contact.pair) | static_cast<std::uint32_t>((head_ & mask_) + 1);
    ++head_;
    ++size_;
    return added;
}

void FirstContacts::remove(Contact& contact) {
    const std::uint32_t mark = tag_of(contact.pair) | (place_of(contact) + 1);
    auto& marks = bucket_of(contact.pair).marks;
    auto* const found = std::find(marks.begin(), marks.end(), mark);
    auto* const last = std::find(found, marks.end(), 0U) - 1;
    *found = *last;
    *last = 0;
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
