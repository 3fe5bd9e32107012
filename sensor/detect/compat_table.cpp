#include "sensor/detect/compat_table.hpp"

#include <algorithm>

namespace portcullis::sensor_detect {

CompatCounter& CompatTable::obtain(const base::IpAddress& source,
                                   const base::IpAddress& destination, ScanKind kind,
                                   std::int64_t now, bool& is_new_pair) {
    const std::size_t mixed = source.data()[0] ^ destination.data()[0];
    Bucket& bucket = buckets_[mixed % buckets_.size()];
    auto pair = std::find_if(bucket.begin(), bucket.end(), [&](const CompatPair& known) {
        return known.source == source && known.destination == destination;
    });
    is_new_pair = pair == bucket.end();
    if (is_new_pair) {
        if (bucket.size() == kPairsPerBucket) {
            const auto quietest = std::min_element(
                bucket.begin(), bucket.end(), [](const CompatPair& a, const CompatPair& b) {
                    return a.last_seen < b.last_seen;  // of equals the first: the oldest
                });
            drop(*quietest);
            bucket.erase(quietest);
            --size_;
            ++evictions_;
        }
        pair = bucket.insert(bucket.end(), CompatPair{source, destination, now, {}});
        ++size_;
    }
    pair->last_seen = now;
    auto& counter = pair->counters[static_cast<std::size_t>(kind)];
    if (!counter) {
        counter.emplace();
    }
    return *counter;
}

void CompatTable::drop(const CompatPair& pair) {
    for (std::size_t kind = 0; kind < pair.counters.size(); ++kind) {
        if (pair.counters[kind]) {
            sink_.on_dropped(pair, static_cast<ScanKind>(kind), *pair.counters[kind]);
        }
    }
}

void CompatTable::clear() {
    for (Bucket& bucket : buckets_) {
        bucket.clear();
    }
    size_ = 0;
}

void CompatTable::sweep(std::int64_t now) {
    for (Bucket& bucket : buckets_) {
        for (std::size_t i = bucket.size(); i-- > 0;) {  // newest first
            CompatPair& pair = bucket[i];
            bool is_left = false;
            for (std::size_t kind = 0; kind < pair.counters.size(); ++kind) {
                auto& counter = pair.counters[kind];
                if (counter && now >= counter->expires_at) {
                    sink_.on_dropped(pair, static_cast<ScanKind>(kind), *counter);
                    counter.reset();
                }
                is_left |= counter.has_value();
            }
            if (!is_left) {
                bucket.erase(bucket.begin() + static_cast<std::ptrdiff_t>(i));
                --size_;
            }
        }
    }
}

}  // namespace portcullis::sensor_detect
