#include "engine/config/internal_options.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "base/diagnostic.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::config;

namespace {

InternalOptions read(std::string_view text, base::Diagnostics& diagnostics) {
    InternalOptions options;
    read_internal_options("internal_options.conf", text, options, diagnostics);
    return options;
}

}  // namespace

TEST_CASE("internal_options: each row holds its default, is there once, and takes its limits") {
    const InternalOptions defaults;
    std::set<std::string_view> names;
    for (const InternalOption& row : internal_options()) {
        CAPTURE(row.name);
        CHECK(names.insert(row.name).second);
        CHECK_FALSE(row.help.empty());
        std::string name(row.name);
        if (const std::size_t star = name.find('*'); star != std::string::npos) {
            name.replace(star, 1, "event");
        }
        CHECK(find_internal_option(name) == &row);
        for (const int value : {row.min - 1, row.min, row.max, row.max + 1}) {
            base::Diagnostics diagnostics;
            const auto options = read(name + "=" + std::to_string(value), diagnostics);
            const bool is_inside = value >= row.min && value <= row.max;
            CHECK(diagnostics.has_errors() != is_inside);
            if (row.member != nullptr) {
                CHECK(options.*row.member == (is_inside ? value : defaults.*row.member));
            }
        }
        if (row.member != nullptr) {
            CHECK(defaults.*row.member >= row.min);
            CHECK(defaults.*row.member <= row.max);
        }
    }
}

TEST_CASE(
    "internal_options: comments, blank-leading lines and other daemons' options are skipped") {
    base::Diagnostics diagnostics;
    const auto options = read(
        "# analysisd.log_fw=0\n\n analysisd.log_fw=0\nmaild.groupping=1\nsyscheck.sleep=x\n"
        "analysisd.fts_list_size=64",
        diagnostics);
    CHECK(diagnostics.all().empty());
    CHECK(options.log_fw == 1);
    CHECK(options.fts_list_size == 64);
}

TEST_CASE("internal_options: the local file wins, and neither has to be there") {
    const test::TemporaryFolder folder;
    base::Diagnostics diagnostics;
    CHECK(load_internal_options({folder / "no", folder / "local"}, diagnostics).log_fw == 1);
    std::ofstream(folder / "global") << "analysisd.log_fw=1\nanalysisd.default_timeframe=100\n";
    std::ofstream(folder / "local") << "analysisd.log_fw=0\n";
    const auto options = load_internal_options({folder / "global", folder / "local"}, diagnostics);
    CHECK(diagnostics.all().empty());
    CHECK(options.log_fw == 0);
    CHECK(options.default_timeframe == 100);
    std::ofstream(folder / "marked") << "\xef\xbb\xbf"
                                        "analysisd.log_fw=0\n";
    CHECK(load_internal_options({folder / "marked"}, diagnostics).log_fw == 0);
    CHECK(diagnostics.all().empty());
    load_internal_options({folder.path()}, diagnostics);
    CHECK(diagnostics.has_errors());
}

TEST_CASE("internal_options: docs/configuration.md has the table as it is in the code") {
    const std::string path = PORTCULLIS_SOURCE_DIR "/docs/configuration.md";
    const std::string begin_mark = "<!-- internal options: begin -->\n";
    const std::string end_mark = "<!-- internal options: end -->\n";
    std::ifstream in(path, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(in), {});
    const std::size_t begin = text.find(begin_mark);
    const std::size_t end = text.find(end_mark);
    REQUIRE(begin != std::string::npos);
    REQUIRE(end != std::string::npos);
    const std::size_t body = begin + begin_mark.size();
    if (std::getenv("UPDATE_GOLDEN") != nullptr) {
        text.replace(body, end - body, internal_options_as_markdown());
        std::ofstream(path, std::ios::binary) << text;
        return;
    }
    CHECK(text.substr(body, end - body) == internal_options_as_markdown());
}
