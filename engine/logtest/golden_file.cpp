#include "engine/logtest/golden_file.hpp"

#include <algorithm>
#include <charconv>

namespace portcullis::logtest {

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t size = std::min(text.find('\n'), text.size());
        lines.emplace_back(text.substr(0, size));
        text.remove_prefix(std::min(size + 1, text.size()));
    }
    return lines;
}

std::chrono::seconds GoldenFile::Step::pause() const {
    const std::string_view digits = std::string_view(input).substr(3);
    int seconds = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    return std::chrono::seconds(seconds);
}

base::Result<GoldenFile> GoldenFile::parse(const std::string& file, std::string_view text) {
    GoldenFile golden;
    int number = 0;
    bool has_line = false;
    for (std::string& line : lines_of(text)) {
        ++number;
        const bool is_step = line.starts_with("> ") || line.starts_with("@ +");
        if (is_step) {
            has_line |= line.front() == '>';
            golden.steps.push_back({std::move(line), {file, number, 0}, {}});
        } else if (!golden.steps.empty()) {
            golden.steps.back().expected.push_back(std::move(line));
        } else if (line.starts_with("# ")) {
            golden.is_traced |= line == "# trace: yes";
            constexpr std::string_view kLocationHeader = "# location: ";
            if (line.starts_with(kLocationHeader)) {
                golden.location = line.substr(kLocationHeader.size());
            }
            golden.header.push_back(std::move(line));
        }
    }
    for (Step& step : golden.steps) {  // the empty line before the next step
        if (!step.expected.empty() && step.expected.back().empty()) {
            step.expected.pop_back();
        }
    }
    if (golden.header.empty() || !golden.header.front().starts_with("# description: ") ||
        !has_line) {
        return base::fail("bad-test",
                          "a golden file begins with \"# description: \" and has lines to analyse",
                          {file, 1});
    }
    return golden;
}

}  // namespace portcullis::logtest
