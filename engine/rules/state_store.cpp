#include "engine/rules/state_store.hpp"

namespace portcullis::rules {
void MemoryStateStore::insert(Keys& keys, std::string_view key) {
    if (keys.find(key) != keys.end()) {
        return;
    }
    if (keys.size() >= kMaxKeys) {
        ++refused_;
        return;
    }
    keys.emplace(key);
}

bool MemoryStateStore::knows_first_time(std::string_view key) const {
    return first_times_.find(key) != first_times_.end();
}

void MemoryStateStore::remember_first_time(std::string_view key) { insert(first_times_, key); }

std::optional<std::string> MemoryStateStore::exchange_last_log(std::string_view host, int rule_id,
                                                               std::string_view log) {
    const std::pair<std::string, int> key{host, rule_id};
    const auto found = last_logs_.find(key);
    if (found == last_logs_.end()) {
        if (last_logs_.size() < kMaxLastLogs) {
            last_logs_.emplace(key, log);
        } else {
            ++refused_;
        }
        return std::nullopt;
    }
    std::string previous = std::move(found->second);
    found->second = log;
    return previous;
}

bool MemoryStateStore::is_ignored(std::string_view key) const {
    return ignored_.find(key) != ignored_.end();
}

void MemoryStateStore::ignore(std::string_view key) { insert(ignored_, key); }

void MemoryStateStore::clear() {
    first_times_.clear();
    last_logs_.clear();
    ignored_.clear();
}

}  // namespace portcullis::rules
