// StateStore: the seam for the state of rules that outlives a run: first-time-seen keys, the last
// logs of check_diff, the keys of <ignore>. MemoryStateStore is for tests and for runs that must
// not depend on the host; engine/state keeps the daemon's state in files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/rules/bounded_keys.hpp"
#include "engine/rules/last_logs.hpp"

namespace portcullis::rules {

class StateStore {
  public:
    virtual ~StateStore() = default;

    // Keys of first-time-seen (spec: decoders, section 7).
    virtual bool knows_first_time(std::string_view key) const = 0;
    virtual void remember_first_time(std::string_view key) = 0;

    // Stores `log` as the last one of this host and rule and returns the one before; nullopt =
    // there was none (spec: rules, section 10).
    virtual std::optional<std::string> exchange_last_log(std::string_view host, int rule_id,
                                                         std::string_view log) = 0;

    // <check_if_ignored> and <ignore> (spec: rules, section 9).
    virtual bool is_ignored(std::string_view key) const = 0;
    virtual void ignore(std::string_view key) = 0;
};

// When a table is full, its oldest entries are evicted and counted.
struct StateLimits {
    BoundedKeys::Limits first_times = {};
    BoundedKeys::Limits ignored = {};
    LastLogs::Limits last_logs = {};
};

class MemoryStateStore final : public StateStore {
  public:
    explicit MemoryStateStore(const StateLimits& limits = {})
        : first_times_(limits.first_times),
          ignored_(limits.ignored),
          last_logs_(limits.last_logs) {}

    bool knows_first_time(std::string_view key) const override {
        return first_times_.contains(key);
    }
    void remember_first_time(std::string_view key) override { first_times_.insert(key); }
    std::optional<std::string> exchange_last_log(std::string_view host, int rule_id,
                                                 std::string_view log) override {
        return last_logs_.exchange(host, rule_id, log);
    }
    bool is_ignored(std::string_view key) const override { return ignored_.contains(key); }
    void ignore(std::string_view key) override { ignored_.insert(key); }

    void clear() {
        first_times_.clear();
        ignored_.clear();
        last_logs_.clear();
    }
    // Entries that were evicted because a table was full.
    std::uint64_t evicted() const {
        return first_times_.evicted() + ignored_.evicted() + last_logs_.evicted();
    }

  private:
    BoundedKeys first_times_;
    BoundedKeys ignored_;
    LastLogs last_logs_;
};

}  // namespace portcullis::rules
