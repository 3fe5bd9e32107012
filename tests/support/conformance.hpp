// Access to the public conformance data (tests/README or CMake: PORTCULLIS_CONFORMANCE_DIR), which
// is never part of the project. Tests that need it say so and pass when it is absent.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
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

}  // namespace portcullis::test
