// A log line. All parts that pre-decoding finds must lie in the line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/decode/predecode.hpp"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::string_view kLocal = "local";
    static event::Event event;
    event.reset({reinterpret_cast<const char*>(data), size}, "stdin", {});
    decode::predecode(event, kLocal);
    const auto check = [](std::string_view text) {
        const std::string_view line = event.full_log;
        if (text.data() < line.data() || text.data() + text.size() > line.data() + line.size()) {
            std::abort();
        }
    };
    check(event.log);
    if (event.program_name) {
        check(*event.program_name);
    }
    if (event.has_header_hostname) {
        check(event.hostname.value());
    } else if (event.hostname != kLocal) {
        std::abort();
    }
    return 0;
}
