#include "engine/rules/bounded_keys.hpp"

namespace portcullis::rules {

bool BoundedKeys::insert(std::string_view key) {
    if (contains(key)) {
        return false;
    }
    index_.insert(keys_.emplace_back(key));
    bytes_ += key.size();
    while (keys_.size() > 1 && (keys_.size() > limits_.keys || bytes_ > limits_.bytes)) {
        drop_oldest();
        ++evicted_;
    }
    return true;
}

void BoundedKeys::drop_oldest() {
    index_.erase(keys_.front());
    bytes_ -= keys_.front().size();
    keys_.pop_front();
    ++first_number_;
}

void BoundedKeys::clear() {
    while (!keys_.empty()) {
        drop_oldest();
    }
}

}  // namespace portcullis::rules
