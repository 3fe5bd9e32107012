#include <filesystem>

#include "engine/xml/document.hpp"

using namespace portcullis;
namespace fs = std::filesystem;

TEST_CASE("stock files: every decoder and rule file of OSSEC is read without a complaint") {
    const fs::path folder = PORTCULLIS_CONFORMANCE_DIR "/ossec/ruleset";
    if (!fs::exists(folder)) {
        WARN("SKIPPED: OSSEC's decoders and rules are not here");
        return;
    }
    std::size_t files = 0;
    std::size_t elements = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.path().extension() != ".xml") {
            continue;
        }
        CAPTURE(entry.path().string());
        base::Diagnostics diagnostics;
        const auto document = xml::Document::load(entry.path(), entry.path().filename(),
                                                  xml::Variables::Substitute, diagnostics);
        CHECK(base::render(diagnostics) == "");
        REQUIRE(document.has_value());
        ++files;
        for (const auto& root : document->roots()) {
            elements += 1 + root.children().size();
            // Text that an error may have to point into leads back to the file it came from.
            for (const auto& child : root.children()) {
                CHECK(child.place().line > 0);
            }
        }
    }
    CHECK(files > 50);
    CHECK(elements > 2000);
}
