#include "engine/decode/accumulator.hpp"

#include <algorithm>

namespace portcullis::decode {
namespace {

using event::FieldId;

constexpr std::array kKeptFields{FieldId::DstUser,  FieldId::SrcUser, FieldId::DstIp,
                                 FieldId::SrcIp,    FieldId::DstPort, FieldId::SrcPort,
                                 FieldId::ExtraData};
constexpr std::size_t kMaxKey = 255;
constexpr std::size_t kMaxValue = 80;

}  // namespace

Accumulator::Accumulator(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

bool Accumulator::update(event::Event& event, base::Timestamp now) {
    static_assert(kKeptFields.size() == kKept);
    const auto& id = event.field(FieldId::Id);
    if (!event.accumulates || !id) {
        return false;
    }
    while (!entries_.empty() && entries_.front().updated + kLifetime < now) {
        by_key_.erase(entries_.front().key);
        entries_.pop_front();
    }
    key_.assign(event.hostname.value_or(std::string_view()));
    key_ += ' ';
    key_ += event.decoder_name;
    key_ += ' ';
    key_ += *id;
    key_.resize(std::min(key_.size(), kMaxKey));

    auto found = by_key_.find(key_);
    if (found == by_key_.end()) {
        if (entries_.size() == capacity_) {
            forget_oldest();
        }
        entries_.push_back({key_, now, {}});
        found = by_key_.emplace(entries_.back().key, std::prev(entries_.end())).first;
    } else {
        entries_.splice(entries_.end(), entries_, found->second);
    }
    Entry& entry = *found->second;
    entry.updated = now;
    for (std::size_t i = 0; i < kKept; ++i) {
        const auto& value = event.field(kKeptFields[i]);
        if (!value || value->empty()) {
            if (!entry.values[i].empty()) {
                event.fill_field(kKeptFields[i], event.keep(entry.values[i]));
            }
        } else if (entry.values[i].empty() && value->size() <= kMaxValue) {
            entry.values[i] = *value;
        }
    }
    return true;
}

void Accumulator::forget_oldest() {
    by_key_.erase(entries_.front().key);
    entries_.pop_front();
    ++evictions_;
}

void Accumulator::clear() {
    by_key_.clear();
    entries_.clear();
}

}  // namespace portcullis::decode
