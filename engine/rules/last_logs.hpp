// LastLogs: the last log of each host and rule, for <check_diff> (spec: rules, section 10).
//
// Bounded by number and bytes: the least recently used log is evicted. Used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace portcullis::rules {

class LastLogs {
  public:
    struct Limits {
        std::size_t logs = 4'096;
        std::size_t bytes = std::size_t{8} << 20;  // of the texts together
    };
    using Evicted = std::function<void(std::string_view host, int rule_id)>;

    // `on_evicted`, if given, is called with each log that is evicted; it must not call back.
    explicit LastLogs(Limits limits, Evicted on_evicted = {})
        : limits_(limits), on_evicted_(std::move(on_evicted)) {}
    LastLogs(const LastLogs&) = delete;
    LastLogs& operator=(const LastLogs&) = delete;
    ~LastLogs() = default;

    // Stores `log` and returns the one before; nullopt = there was none.
    std::optional<std::string> exchange(std::string_view host, int rule_id, std::string_view log);
    // nullptr = there is none. Valid until the next call of another kind.
    const std::string* find(std::string_view host, int rule_id) const;
    void clear();

    std::size_t size() const { return entries_.size(); }
    std::uint64_t evicted() const { return evicted_; }

  private:
    struct Entry {
        std::string host;
        int rule_id;
        std::string log;
    };
    using Entries = std::list<Entry>;  // the least recently used first
    using Key = std::pair<std::string_view, int>;

    Limits limits_;
    Evicted on_evicted_;
    Entries entries_;
    std::map<Key, Entries::iterator> index_;  // views into entries_
    std::size_t bytes_ = 0;
    std::uint64_t evicted_ = 0;
};

}  // namespace portcullis::rules
