// The recorded decisions of OSSEC 4.3, one line of input each (conformance data, not part of the
// project: without it the tests that use it say that they skipped).
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace portcullis::tests {

inline std::string ossec_data(const std::string& name) {
    std::filesystem::path path = PORTCULLIS_CONFORMANCE_DIR;
    path /= "ossec";
    path /= name;
    return path.string();
}

// The records of cases/<name>; empty (with a warning) if there is no conformance data.
inline std::vector<nlohmann::json> read_ossec_cases(const std::string& name) {
    std::vector<nlohmann::json> cases;
    std::ifstream in(ossec_data("cases/" + name));
    for (std::string line; std::getline(in, line);) {
        cases.push_back(nlohmann::json::parse(line));
    }
    if (cases.empty()) {
        WARN("skipped: no conformance data at " << ossec_data("cases/" + name));
    }
    return cases;
}

}  // namespace portcullis::tests
