// Pool: numbered objects that never move, at most `capacity` of them, grown in blocks and reused.
// Single-threaded. References stay valid; an object is reset to T{} when it is taken again.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace portcullis::sensor_detect {

template <class T>
class Pool {
  public:
    explicit Pool(std::size_t capacity) : capacity_(capacity) {}

    // nullopt = all `capacity` objects are taken.
    std::optional<std::uint32_t> take() {
        std::uint32_t index = 0;
        if (!free_.empty()) {
            index = free_.back();
            free_.pop_back();
            (*this)[index] = T{};
            return index;
        }
        if (made_ >= capacity_) {
            return std::nullopt;
        }
        if (made_ % kBlock == 0) {
            blocks_.push_back(std::make_unique<Block>());
            free_.reserve(made_ + kBlock);
        }
        index = static_cast<std::uint32_t>(made_++);
        return index;
    }
    void give_back(std::uint32_t index) { free_.push_back(index); }

    std::size_t taken() const { return made_ - free_.size(); }

    // REQUIRES: taken before.
    T& operator[](std::uint32_t index) { return (*blocks_[index / kBlock])[index % kBlock]; }

  private:
    static constexpr std::size_t kBlock = 1024;
    using Block = std::array<T, kBlock>;

    std::size_t capacity_;
    std::size_t made_ = 0;
    std::vector<std::unique_ptr<Block>> blocks_;
    std::vector<std::uint32_t> free_;
};

}  // namespace portcullis::sensor_detect
