// Scripts of writes, rotations, truncations and restarts: every line is read exactly once.
#include <cstdlib>

#include "tests/support/tailer_script.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view script(reinterpret_cast<const char*>(data),
                                  std::min<std::size_t>(size, 200));
    if (!portcullis::test::TailerScript().run(script).empty()) {
        std::abort();
    }
    return 0;
}
