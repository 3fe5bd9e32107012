// Access to the public conformance data (CMake: PORTCULLIS_CONFORMANCE_DIR): recorded decisions of
// OSSEC 4.3 and iplog. It is not part of the project; tests that need it start with
// SKIP_WITHOUT_CONFORMANCE_DATA().
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::test {

inline std::filesystem::path conformance_path(std::string_view relative) {
    return std::filesystem::path(PORTCULLIS_CONFORMANCE_DIR) / relative;
}

inline bool has_conformance_data() { return std::filesystem::is_directory(conformance_path("")); }

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream input(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(input), {}};
}

// Without their newlines.
inline std::vector<std::string> read_lines(const std::filesystem::path& path) {
    std::ifstream input(path, std::ios::binary);
    std::vector<std::string> lines;
    for (std::string line; std::getline(input, line);) {
        lines.push_back(line);
    }
    return lines;
}

// The records of ossec/cases/<name>, one line of input each.
inline std::vector<nlohmann::json> read_ossec_cases(std::string_view name) {
    std::vector<nlohmann::json> cases;
    for (const std::string& line : read_lines(conformance_path("ossec/cases") / name)) {
        cases.push_back(nlohmann::json::parse(line));
    }
    return cases;
}

}  // namespace portcullis::test

// In a Catch2 test case.
#define SKIP_WITHOUT_CONFORMANCE_DATA()                                      \
    if (!portcullis::test::has_conformance_data()) {                         \
        WARN("SKIPPED: no conformance data at " PORTCULLIS_CONFORMANCE_DIR); \
        return;                                                              \
    }
