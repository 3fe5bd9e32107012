#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include "base/did_you_mean.hpp"
#include "engine/collect/log_formats.hpp"
#include "engine/config/option_setters.hpp"

namespace portcullis::config {
namespace {

// Formats of OSSEC that the collect stage does not have (collect/log_formats.cpp).
constexpr std::string_view kOtherFormats[] = {
    "nmapg",    "mssql_log", "postgresql_log", "ossecalert", "audit", "multi-line_indented",
    "journald", "command",   "full_command",
};
// These do nothing on Unix, as in OSSEC.
constexpr std::string_view kWindowsFormats[] = {"eventlog", "eventchannel"};

constexpr std::string_view kMultiLine = "multi-line";
constexpr int kMaxLines = 1'000;

// A format and, of "multi-line: N", the number of lines.
struct FormatName {
    std::string_view name;  // empty = a multi-line without a valid number
    std::size_t line_count = 1;
};

FormatName format_name(std::string_view text) {
    std::string_view rest = text;
    const auto skip_blanks = [&] {
        rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    };
    if (!text.starts_with(kMultiLine)) {
        return {text};
    }
    rest.remove_prefix(kMultiLine.size());
    skip_blanks();
    if (!rest.starts_with(':')) {
        return {text == kMultiLine ? std::string_view() : text};
    }
    rest.remove_prefix(1);
    skip_blanks();
    int count = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    skip_blanks();
    if (error != std::errc() || !rest.empty() || count < 1 || count > kMaxLines) {
        return {};
    }
    return {kMultiLine, static_cast<std::size_t>(count)};
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::string_view (&names)[N]) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool is_known_format(std::string_view text) {
    const std::string_view name = format_name(text).name;
    return collect::find_log_format(name) != nullptr || is_one_of(name, kOtherFormats) ||
           is_one_of(name, kWindowsFormats);
}

// ".../PROGRAM/current"
bool is_multilog_path(std::string_view path) {
    constexpr std::string_view kFile = "/current";
    return path.ends_with(kFile) &&
           path.find_last_not_of('/', path.size() - kFile.size() - 1) != std::string_view::npos &&
           path.size() > kFile.size();
}

std::vector<std::string_view> format_names() {
    std::vector<std::string_view> names;
    for (const auto& format : collect::log_formats()) {
        names.push_back(format.name);
    }
    names.insert(names.end(), std::begin(kOtherFormats), std::end(kOtherFormats));
    names.insert(names.end(), std::begin(kWindowsFormats), std::end(kWindowsFormats));
    return names;
}

}  // namespace

void set_location(SectionReader& reader, const xml::Node& option) {
    if (auto text = read_text(reader, option)) {
        reader.block.local_file.location = *std::move(text);
    }
}

void set_log_format(SectionReader& reader, const xml::Node& option) {
    if (!is_known_format(option.text())) {
        std::string hint =
            option.text().starts_with("multi-line")
                ? fmt::format("write a number of lines from 1 to {}, as in \"multi-line: 3\"",
                              kMaxLines)
                : base::did_you_mean(option.text(), format_names());
        reader.bad_value(
            option, "unknown-log-format",
            fmt::format("there is no log format \"{}\"", option.text()),
            hint.empty() ? "most logs are \"syslog\": each line is an event" : std::move(hint));
        return;
    }
    const FormatName format = format_name(option.text());
    reader.block.local_file.log_format = format.name;
    reader.block.local_file.line_count = format.line_count;
}

void set_frequency(SectionReader& reader, const xml::Node& option) {
    if (option.text() != "hourly" && option.text() != "daily") {
        constexpr int kMostSeconds = 10 * 365 * 86400;
        read_number(reader, option, 1, kMostSeconds);
    }
}

void finish_local_file(SectionReader& reader, const xml::Node& section) {
    auto& block = reader.block;
    const xml::Node* format = block.find("log_format");
    if (format == nullptr) {
        reader.add(section.error("missing-option", "a localfile needs a <log_format>"),
                   "write <log_format>syslog</log_format> if each line is an event");
        return;
    }
    if (block.local_file.log_format.empty()) {
        return;  // already reported
    }
    const std::string_view name = block.local_file.log_format;
    const bool is_command = name.ends_with("command");
    const std::string_view source = is_command ? "command" : "location";
    if (block.find(source) == nullptr) {
        reader.add(section.error("missing-option",
                                 fmt::format("a localfile of this format needs a <{}>", source)));
        return;
    }
    if (is_one_of(name, kWindowsFormats)) {
        return;
    }
    if (collect::find_log_format(name) == nullptr) {
        reader.option_name = "log_format";
        reader.add_warning(
            format->error_in_text(
                "unsupported-log-format",
                fmt::format("this version does not read the log format \"{}\"", format->text())),
            "this localfile is skipped");
        return;
    }
    if (block.local_file.location.empty()) {
        return;
    }
    if (name == "djb-multilog" && !is_multilog_path(block.local_file.location)) {
        reader.option_name = "location";
        reader.add(block.find("location")
                       ->error_in_text("bad-location",
                                       "multilog writes to a file \"current\" in a folder with the "
                                       "name of the program"),
                   "for example /service/PROGRAM/current");
        return;
    }
    const auto& files = reader.config.local_files;
    const auto same = std::find_if(files.begin(), files.end(), [&](const auto& earlier) {
        return earlier.location == block.local_file.location;
    });
    if (same != files.end()) {
        reader.option_name = "location";
        reader.add_warning(
            block.find("location")
                ->error_in_text(
                    "duplicate-location",
                    fmt::format("the localfile at {1}:{2} reads \"{0}\" already",
                                block.local_file.location, same->place.line, same->place.column)),
            "this localfile is skipped");
        return;
    }
    block.local_file.place = section.place();
    reader.config.local_files.push_back(block.local_file);
}

}  // namespace portcullis::config
