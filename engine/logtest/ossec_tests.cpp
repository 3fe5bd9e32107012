#include "engine/logtest/ossec_tests.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.hpp"

namespace portcullis::logtest {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

using base::lower;

bool is_comment(std::string_view line) {
    return line.front() == '#' || line.front() == ';' ||
           (lower(line.substr(0, 3)) == "rem" &&
            (line.size() == 3 || kBlanks.find(line[3]) != std::string_view::npos));
}

// "value ; comment" → "value". Only the first ';' counts.
std::string_view without_comment(std::string_view value) {
    const std::size_t at = value.find(';');
    const bool is_one = at != std::string_view::npos && at > 0 &&
                        kBlanks.find(value[at - 1]) != std::string_view::npos;
    return is_one ? value.substr(0, at) : value;
}

class Parser {
  public:
    Parser(const std::string& file, base::Diagnostics& diagnostics)
        : file_(file), diagnostics_(diagnostics) {}

    std::vector<OssecTest> parse(std::string_view text) {
        while (!text.empty()) {
            const std::size_t size = std::min(text.find('\n'), text.size());
            ++line_number_;
            take(text.substr(0, size));
            text.remove_prefix(std::min(size + 1, text.size()));
        }
        finish_section();
        return std::move(tests_);
    }

  private:
    struct Entry {
        std::string name;
        base::SourcePlace place;
        std::vector<std::string> lines;
    };

    void take(std::string_view line) {
        const std::string_view content = trimmed(line);
        if (content.empty() || is_comment(line)) {
            return;
        }
        const bool is_indented = kBlanks.find(line.front()) != std::string_view::npos;
        if (is_indented && continues_) {
            entries_.back().lines.emplace_back(content);
            return;
        }
        const std::size_t bracket = line.find(']');
        if (line.front() == '[' && bracket != std::string_view::npos && bracket > 1) {
            finish_section();
            section_ = line.substr(1, bracket - 1);
            section_place_ = here();
            return;
        }
        const std::size_t sign = line.find_first_of(":=");
        if (!section_ || is_indented || sign == std::string_view::npos || sign == 0) {
            report(!section_ ? "is before the first [section]" : "is not \"name = value\"");
            return;
        }
        add(lower(trimmed(line.substr(0, sign))),
            trimmed(without_comment(trimmed(line.substr(sign + 1)))));
    }

    void add(std::string name, std::string_view value) {
        const auto same = std::find_if(entries_.begin(), entries_.end(),
                                       [&](const Entry& entry) { return entry.name == name; });
        if (same != entries_.end()) {
            report(fmt::format("\"{}\" is given a second time: only this one counts", name),
                   base::Severity::Warning);
            entries_.erase(same);
        }
        entries_.push_back({std::move(name), here(), {std::string(value == "\"\"" ? "" : value)}});
        continues_ = true;
    }

    void finish_section() {
        continues_ = false;
        const std::vector<Entry> entries = std::exchange(entries_, {});
        if (!section_) {
            return;
        }
        const auto value_of = [&](std::string_view name) -> std::string {
            const auto found = std::find_if(entries.begin(), entries.end(),
                                            [&](const Entry& e) { return e.name == name; });
            if (found == entries.end() || found->lines.front().empty()) {
                report(fmt::format("[{}] has no {}", *section_, name), base::Severity::Error,
                       section_place_);
                return {};
            }
            return found->lines.front();
        };
        const Expectation expected{value_of("rule"), value_of("alert"), value_of("decoder")};
        for (const Entry& entry : entries) {
            if (entry.name == "rule" || entry.name == "alert" || entry.name == "decoder") {
                continue;
            }
            if (!entry.name.starts_with("log")) {
                report(fmt::format("\"{}\" is none of rule, alert, decoder and log N pass or fail",
                                   entry.name),
                       base::Severity::Error, entry.place);
                continue;
            }
            tests_.push_back({*section_, entry.name, entry.place, entry.lines, expected,
                              entry.name.ends_with("fail")});
        }
    }

    base::SourcePlace here() const { return {file_, line_number_, 0}; }
    void report(std::string what, base::Severity severity = base::Severity::Error) {
        report(std::move(what), severity, here());
    }
    void report(std::string what, base::Severity severity, base::SourcePlace place) {
        base::Diagnostic diagnostic =
            base::make_error("bad-test", std::move(what), std::move(place));
        diagnostic.severity = severity;
        diagnostics_.add(std::move(diagnostic));
    }

    const std::string& file_;
    base::Diagnostics& diagnostics_;
    int line_number_ = 0;
    std::optional<std::string> section_;
    base::SourcePlace section_place_;
    std::vector<Entry> entries_;  // of the section
    bool continues_ = false;      // an indented line belongs to the last entry
    std::vector<OssecTest> tests_;
};

}  // namespace

std::vector<OssecTest> parse_ossec_tests(const std::string& file, std::string_view text,
                                         base::Diagnostics& diagnostics) {
    return Parser(file, diagnostics).parse(text);
}

}  // namespace portcullis::logtest
