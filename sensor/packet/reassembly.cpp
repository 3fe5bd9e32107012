#include "sensor/packet/reassembly.hpp"

#include <algorithm>

namespace portcullis::sensor_packet {

void DatagramHead::add(std::uint32_t offset, std::span<const std::uint8_t> bytes, bool is_last,
                       std::size_t limit) {
    if (offset >= limit) {
        return;
    }
    std::span<const std::uint8_t> rest = bytes.first(std::min(bytes.size(), limit - offset));
    const std::size_t end = offset + rest.size();
    if (bytes_.size() < end) {
        bytes_.resize(end);
        known_.resize((end + kBlock - 1) / kBlock);
    }
    for (std::size_t at = offset; !rest.empty(); at += kBlock) {
        const auto block = rest.first(std::min(kBlock, rest.size()));
        rest = rest.subspan(block.size());
        // Part of a block is known only if the datagram ends in it.
        if (!known_[at / kBlock] && (block.size() == kBlock || is_last)) {
            std::copy(block.begin(), block.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
            known_[at / kBlock] = true;
        }
    }
}

std::span<const std::uint8_t> DatagramHead::known(std::uint32_t length) const {
    const auto unknown = std::find(known_.begin(), known_.end(), false) - known_.begin();
    return std::span(bytes_).first(
        std::min({static_cast<std::size_t>(unknown) * kBlock, bytes_.size(), std::size_t{length}}));
}

bool DatagramHead::agrees(std::uint32_t offset, std::span<const std::uint8_t> bytes) const {
    for (std::size_t i = 0; i < bytes.size() && offset + i < bytes_.size(); ++i) {
        if (known_[(offset + i) / kBlock] && bytes_[offset + i] != bytes[i]) {
            return false;
        }
    }
    return true;
}

}  // namespace portcullis::sensor_packet
