// Accumulator: fields that decoders with <accumulate> share between lines with the same id, such as
// the address of an LDAP connection (spec: decoders, section 9).
//
// State, single-threaded, in line order. Bounded: the entry that was updated longest ago is dropped
// first. Only differences of times matter.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "engine/event/event.hpp"

namespace portcullis::decode {

class Accumulator {
  public:
    static constexpr std::chrono::seconds kLifetime{120};

    explicit Accumulator(std::size_t capacity = 8192);

    // For an event whose decoder accumulates and which has an id: fields that are not set or empty
    // get the values that were kept under host, decoder and id; then the event's own values are
    // kept. False = any other event; logtest prints a line if it is true.
    bool update(event::Event& event, base::Timestamp now);

    void clear();
    std::size_t size() const { return entries_.size(); }
    std::uint64_t evictions() const { return evictions_; }

  private:
    // dstuser, srcuser, dstip, srcip, dstport, srcport, data
    static constexpr std::size_t kKept = 7;
    struct Entry {
        std::string key;
        base::Timestamp updated;
        std::array<std::string, kKept> values;
    };
    void forget_oldest();

    std::size_t capacity_;
    std::list<Entry> entries_;  // the one updated longest ago first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
    std::string key_;  // kept for its memory
    std::uint64_t evictions_ = 0;
};

}  // namespace portcullis::decode
