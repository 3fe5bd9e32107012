#include "engine/logtest/test_report.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"
#include "engine/logtest/mismatch.hpp"

namespace portcullis::logtest {
namespace {

using Json = nlohmann::ordered_json;

std::size_t failures_in(const TestFileReport& file) {
    return static_cast<std::size_t>(
        std::count_if(file.results.begin(), file.results.end(),
                      [](const TestResult& result) { return !result.has_passed(); }));
}

// Text or attribute of XML 1.0: valid UTF-8 without the characters that it cannot have.
std::string xml_escaped(std::string_view text) {
    std::string out;
    for (const char c : base::to_utf8(text)) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\n':
                out += "&#10;";
                break;
            default:
                out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
    }
    return out;
}

std::string difference_text(const Difference& difference) {
    return fmt::format("{}: expected {}, got {}", difference.what, difference.expected,
                       difference.actual);
}

std::string plural(std::size_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

std::size_t TestReport::test_count() const {
    return std::accumulate(
        files.begin(), files.end(), std::size_t{0},
        [](std::size_t sum, const TestFileReport& file) { return sum + file.results.size(); });
}

std::size_t TestReport::failure_count() const {
    return std::accumulate(
        files.begin(), files.end(), std::size_t{0},
        [](std::size_t sum, const TestFileReport& file) { return sum + failures_in(file); });
}

std::size_t TestReport::error_count() const {
    return static_cast<std::size_t>(
        std::count_if(files.begin(), files.end(),
                      [](const TestFileReport& file) { return !file.error.empty(); }));
}

bool TestReport::is_success() const {
    return test_count() > 0 && failure_count() == 0 && error_count() == 0;
}

std::string failure_text(const TestResult& result) {
    std::string out = fmt::format("{}: failed: {}\n    {:<8} {}\n", shown_place(result.place),
                                  result.name, "line", result.line);
    for (const Difference& difference : result.differences) {
        out += fmt::format("    {:<8} expected {}, got {}\n", difference.what, difference.expected,
                           difference.actual);
    }
    return out;
}

std::string passed_text(const TestResult& result) {
    return fmt::format("{}: passed: {}\n", shown_place(result.place), result.name);
}

std::string summary_text(const TestReport& report) {
    const std::size_t tests = report.test_count();
    const std::size_t failures = report.failure_count();
    std::string out = fmt::format("{} in {}: {} passed, {} failed", plural(tests, "test"),
                                  plural(report.files.size(), "file"), tests - failures, failures);
    if (report.error_count() > 0) {
        out += fmt::format(", {} could not be run", plural(report.error_count(), "file"));
    }
    return out + "\n";
}

std::string junit_xml(const TestReport& report) {
    std::string out = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{}\" failures=\"{}\" "
        "errors=\"{}\">\n",
        report.test_count() + report.error_count(), report.failure_count(), report.error_count());
    for (const TestFileReport& file : report.files) {
        const std::string name = xml_escaped(file.file);
        const std::size_t errors = file.error.empty() ? 0 : 1;
        out += fmt::format(
            "  <testsuite name=\"{0}\" tests=\"{1}\" failures=\"{2}\" errors=\"{3}\" "
            "time=\"{4:.3f}\">\n",
            name, file.results.size() + errors, failures_in(file), errors, file.seconds);
        if (errors > 0) {
            out += fmt::format(
                "    <testcase name=\"{0}\" classname=\"{0}\"><error "
                "message=\"{1}\"/></testcase>\n",
                name, xml_escaped(file.error));
        }
        for (const TestResult& result : file.results) {
            out += fmt::format(R"(    <testcase name="{}" classname="{}" file="{}" line="{}")",
                               xml_escaped(result.name), name, name, result.place.line);
            if (result.has_passed()) {
                out += "/>\n";
                continue;
            }
            out += fmt::format("><failure message=\"{}\">{}</failure></testcase>\n",
                               xml_escaped(difference_text(result.differences.front())),
                               xml_escaped(failure_text(result)));
        }
        out += "  </testsuite>\n";
    }
    return out + "</testsuites>\n";
}

Json report_json(const TestReport& report) {
    Json json{{"tests", report.test_count()},
              {"passed", report.test_count() - report.failure_count()},
              {"failed", report.failure_count()},
              {"errors", Json::array()},
              {"failures", Json::array()}};
    for (const TestFileReport& file : report.files) {
        if (!file.error.empty()) {
            json["errors"].push_back(
                {{"file", base::to_utf8(file.file)}, {"error", base::to_utf8(file.error)}});
        }
        for (const TestResult& result : file.results) {
            if (result.has_passed()) {
                continue;
            }
            Json failure{{"file", base::to_utf8(file.file)},
                         {"line_number", result.place.line},
                         {"name", base::to_utf8(result.name)},
                         {"line", base::to_utf8(result.line)},
                         {"mismatches", Json::array()}};
            for (const Difference& difference : result.differences) {
                failure["mismatches"].push_back({{"what", difference.what},
                                                 {"expected", base::to_utf8(difference.expected)},
                                                 {"actual", base::to_utf8(difference.actual)}});
            }
            json["failures"].push_back(std::move(failure));
        }
    }
    return json;
}

}  // namespace portcullis::logtest
