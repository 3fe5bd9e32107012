// Any packet is decoded or refused; what was decoded is encoded to something that decodes again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/response_message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace portcullis::base;
    const std::string_view packet(reinterpret_cast<const char*>(data), size);
    if (const auto message = decode_message(packet)) {
        const std::string again = encode(*message);
        if (again.size() > kMaxMessageSize || !decode_message(again)) {
            std::abort();
        }
    }
    if (const auto reply = decode_reply(packet)) {
        if (const std::string again = encode(*reply);
            again.size() <= kMaxMessageSize && decode_reply(again) != *reply) {
            std::abort();
        }
    }
    return 0;
}
