#include "engine/rules/last_logs.hpp"

namespace portcullis::rules {

std::optional<std::string> LastLogs::exchange(std::string_view host, int rule_id,
                                              std::string_view log) {
    std::optional<std::string> previous;
    const auto known = index_.find({host, rule_id});
    if (known == index_.end()) {
        entries_.push_back({std::string(host), rule_id, std::string(log)});
        bytes_ += host.size();
        index_.emplace(Key(entries_.back().host, rule_id), std::prev(entries_.end()));
    } else {
        entries_.splice(entries_.end(), entries_, known->second);
        previous = std::move(entries_.back().log);
        bytes_ -= previous->size();
        entries_.back().log = log;
    }
    bytes_ += log.size();
    while (entries_.size() > 1 && (entries_.size() > limits_.logs || bytes_ > limits_.bytes)) {
        const Entry& oldest = entries_.front();
        if (on_evicted_) {
            on_evicted_(oldest.host, oldest.rule_id);
        }
        bytes_ -= oldest.host.size() + oldest.log.size();
        index_.erase({oldest.host, oldest.rule_id});
        entries_.pop_front();
        ++evicted_;
    }
    return previous;
}

const std::string* LastLogs::find(std::string_view host, int rule_id) const {
    const auto known = index_.find({host, rule_id});
    return known == index_.end() ? nullptr : &known->second->log;
}

void LastLogs::clear() {
    index_.clear();
    entries_.clear();
    bytes_ = 0;
}

}  // namespace portcullis::rules
