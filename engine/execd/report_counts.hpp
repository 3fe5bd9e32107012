// ReportCounts: counts the recent reports of each address, also during a flood with more addresses
// than can be remembered by name. The table has a fixed size. An address whose place was taken by
// another one is counted from 1 again. Time is a parameter.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"

namespace portcullis::execd {

class ReportCounts {
  public:
    // `seed` must be secret, so that no sender can choose addresses of the same place.
    explicit ReportCounts(std::uint64_t seed) : places_(kPlaces), seed_(seed) {}

    // Counts a report of `key`. Returns the number of its reports, each within 60 s of the one
    // before.
    int count(const std::string& key, base::Timestamp now) {
        // splitmix64's finaliser over the seed and the library's hash.
        std::uint64_t x = std::hash<std::string>{}(key) ^ seed_;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
        x ^= x >> 31;
        Place& place = places_[x % kPlaces];
        const auto print = static_cast<std::uint32_t>(x >> 32);
        const bool is_same = place.count > 0 && place.print == print && place.time <= now &&
                             now - place.time <= std::chrono::minutes(1);
        place.count = is_same ? std::min(place.count + 1, kMost) : 1;
        place.print = print;
        place.time = now;
        return place.count;
    }

    void clock_jumped(std::chrono::nanoseconds by) {
        for (auto& place : places_) {
            place.time += by;
        }
    }

  private:
    static constexpr std::size_t kPlaces = std::size_t{1} << 18;  // 4 MiB
    static constexpr int kMost = 1000;
    struct Place {
        base::Timestamp time;
        std::uint32_t print = 0;
        int count = 0;
    };
    std::vector<Place> places_;
    std::uint64_t seed_;
};

}  // namespace portcullis::execd
