#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/config/internal_options.hpp"

using namespace portcullis;

// Whatever the file holds, every option keeps within its limits.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    base::Diagnostics diagnostics;
    config::InternalOptions options;
    config::read_internal_options("internal_options.conf", text, options, diagnostics);
    base::render(diagnostics);
    for (const config::InternalOption& row : config::internal_options()) {
        if (row.member != nullptr &&
            (options.*row.member < row.min || options.*row.member > row.max)) {
            std::abort();
        }
    }
    return 0;
}
