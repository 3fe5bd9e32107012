#include "engine/config/options.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

using namespace portcullis::config;

namespace {

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("options: each option belongs to a section that is read, has a help, and is there once") {
    std::set<std::string> names;
    for (const auto& option : options()) {
        CAPTURE(option.section, option.name);
        const Section* section = find_section(option.section);
        REQUIRE(section != nullptr);
        CHECK(section->is_read);
        CHECK_FALSE(option.help.empty());
        CHECK(option.set != nullptr);
        CHECK(names.insert(std::string(option.section) + ">" + std::string(option.name)).second);
        CHECK(find_option(option.section, option.name) == &option);
    }
    CHECK(find_option("global", "location") == nullptr);
    CHECK(find_section("Global") == nullptr);
}

TEST_CASE("options: docs/configuration.md has the tables as they are in the code") {
    const std::string path = PORTCULLIS_SOURCE_DIR "/docs/configuration.md";
    const std::string begin_mark = "<!-- options: begin -->\n";
    const std::string end_mark = "<!-- options: end -->\n";
    std::string text = read_file(path);
    const std::size_t begin = text.find(begin_mark);
    const std::size_t end = text.find(end_mark);
    REQUIRE(begin != std::string::npos);
    REQUIRE(end != std::string::npos);
    const std::size_t body = begin + begin_mark.size();
    if (std::getenv("UPDATE_GOLDEN") != nullptr) {
        text.replace(body, end - body, options_as_markdown());
        std::ofstream(path, std::ios::binary) << text;
        return;
    }
    CHECK(text.substr(body, end - body) == options_as_markdown());
}
