#include <random>

#include "tests/support/tailer_script.hpp"

using namespace portcullis;

TEST_CASE("file_tailer: whatever is written, rotated, truncated or restarted, every line is read") {
    for (unsigned seed = 1; seed <= 300; ++seed) {
        std::mt19937 random(seed);
        std::string script(60, '\0');
        for (char& c : script) {
            c = static_cast<char>(random());
        }
        INFO("seed " << seed);
        REQUIRE(test::TailerScript().run(script) == "");
    }
}
