#include "engine/config/internal_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <map>
#include <optional>

#include "base/did_you_mean.hpp"
#include "base/fd.hpp"

namespace portcullis::config {
namespace {

using I = InternalOptions;

constexpr std::size_t kMaxFileBytes = std::size_t{256} << 10;

constexpr std::string_view kOneThread =
    "without effect: one thread analyses the lines in their order";
constexpr std::string_view kNoQueue =
    "without effect: there is no queue between reading and analysis";

constexpr std::array kInternalOptions{
    InternalOption{"analysisd.default_timeframe", 60, 604'800, &I::default_timeframe,
                   "timeframe of composite rules that set none, in seconds"},
    InternalOption{"analysisd.stats_maxdiff", 10, 999'999, &I::stats_maxdiff,
                   "an hour with more events than this above its average is unusual"},
    InternalOption{"analysisd.stats_mindiff", 10, 999'999, &I::stats_mindiff,
                   "an hour with fewer events than this above its average is never unusual"},
    InternalOption{"analysisd.stats_percent_diff", 5, 9'999, &I::stats_percent_diff,
                   "percentage above the average that makes an hour unusual"},
    InternalOption{"analysisd.fts_list_size", 12, 512, &I::fts_list_size,
                   "recent first-time-seen keys of type ids that a new one is compared with"},
    InternalOption{"analysisd.fts_min_size_for_str", 6, 128, &I::fts_min_size_for_str,
                   "two such keys are similar if they share more leading bytes than this"},
    InternalOption{"analysisd.log_fw", 0, 1, &I::log_fw,
                   "1 = firewall events are written to firewall.log, their actions are made "
                   "uniform, incomplete ones are dropped; 0 = they are like any other event"},
    InternalOption{"analysisd.decoder_order_size", 8, 1'024, &I::decoder_order_size,
                   "fields that one `<order>` may have"},
    InternalOption{"analysisd.sid_prev_matched_max", 16, 65'536, &I::sid_prev_matched_max,
                   "number of events that an `<if_matched_sid>` remembers"},
    InternalOption{"analysisd.debug", 0, 2, &I::debug, "1 or 2 = debug messages, as with -d"},
    InternalOption{"analysisd.*_threads", 0, 32, nullptr, kOneThread},
    InternalOption{"analysisd.*_queue_size", 0, 99'999'999, nullptr, kNoQueue},
    InternalOption{"analysisd.*_push_wait_ms", 0, 99'999'999, nullptr, kNoQueue},
    InternalOption{"logcollector.loop_timeout", 1, 120, nullptr,
                   "without effect: lines are read when they are written"},
    InternalOption{"logcollector.open_attempts", 2, 998, nullptr,
                   "without effect: the engine waits for a missing file without limit"},
    InternalOption{"logcollector.remote_commands", 0, 1, nullptr,
                   "without effect: no manager sends commands"},
    InternalOption{"logcollector.debug", 0, 2, nullptr,
                   "without effect: the engine reads the logs, see analysisd.debug"},
};

bool fits(std::string_view pattern, std::string_view name) {
    const std::size_t star = pattern.find('*');
    if (star == std::string_view::npos) {
        return pattern == name;
    }
    return name.size() >= pattern.size() && name.starts_with(pattern.substr(0, star)) &&
           name.ends_with(pattern.substr(star + 1));
}

// One line of a file, and errors about parts of it.
struct Line {
    std::string file;
    int number = 0;
    std::string_view text;

    base::Diagnostic error(std::string message, std::string_view part) const {
        base::Diagnostic diagnostic =
            base::make_error("bad-internal-option", std::move(message),
                             {file, number, static_cast<int>(part.data() - text.data()) + 1});
        diagnostic.source_line = text;
        diagnostic.caret_length = std::max(1, static_cast<int>(part.size()));
        return diagnostic;
    }
};

std::optional<int> parse_number(std::string_view text, int min, int max) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_number = !text.empty() && text.front() != '-' && error == std::errc() &&
                           end == text.data() + text.size();
    return is_number && number >= min && number <= max ? std::optional(number) : std::nullopt;
}

void read_line(const Line& line, InternalOptions& options, std::map<std::string, int>& seen,
               base::Diagnostics& diagnostics) {
    const std::size_t equals = line.text.find('=');
    if (equals == std::string_view::npos) {
        auto error = line.error("this is not an option", line.text);
        error.hint = "write group.name=number; comments begin with # at the start of a line";
        diagnostics.add(std::move(error));
        return;
    }
    const std::string_view name = line.text.substr(0, equals);
    const std::string_view value = line.text.substr(equals + 1);
    const InternalOption* option = find_internal_option(name);
    if (option == nullptr) {
        // Most unknown options belong to other daemons; one that is similar to an option of ours is
        // a mistake.
        std::vector<std::string_view> names;
        names.reserve(kInternalOptions.size());
        for (const InternalOption& row : kInternalOptions) {
            names.push_back(row.name);
        }
        std::string hint = base::did_you_mean(name, names);
        if (!hint.empty()) {
            auto warning = line.error(fmt::format("there is no option {}", name), name);
            warning.severity = base::Severity::Warning;
            warning.code = "unknown-internal-option";
            warning.hint = std::move(hint);
            diagnostics.add(std::move(warning));
        }
        return;
    }
    const auto number = parse_number(value, option->min, option->max);
    if (!number) {
        auto error = line.error(fmt::format("{} takes a number from {} to {}, not \"{}\"", name,
                                            option->min, option->max, value),
                                value);
        if (value.find_first_of(" \t\r") != std::string_view::npos) {
            error.hint = "nothing may follow the number, not even a blank or a comment";
        }
        diagnostics.add(std::move(error));
        return;
    }
    const auto [first, is_new] = seen.emplace(name, line.number);
    if (!is_new) {
        auto warning = line.error(
            fmt::format("{} is already set in line {}; this one counts", name, first->second),
            name);
        warning.severity = base::Severity::Warning;
        warning.code = "duplicate-internal-option";
        diagnostics.add(std::move(warning));
    }
    if (option->member != nullptr) {
        options.*option->member = *number;
    }
}

}  // namespace

std::span<const InternalOption> internal_options() { return kInternalOptions; }

const InternalOption* find_internal_option(std::string_view name) {
    const auto* const found =
        std::find_if(kInternalOptions.begin(), kInternalOptions.end(),
                     [&](const InternalOption& row) { return fits(row.name, name); });
    return found != kInternalOptions.end() ? found : nullptr;
}

std::string internal_options_as_markdown() {
    const InternalOptions defaults;
    std::string out = "| option | range | default | meaning |\n|---|---|---|---|\n";
    for (const InternalOption& row : kInternalOptions) {
        const std::string value =
            row.member != nullptr ? std::to_string(defaults.*row.member) : std::string();
        out += fmt::format("| `{}` | {} to {} | {} | {} |\n", row.name, row.min, row.max, value,
                           row.help);
    }
    return out;
}

void read_internal_options(const std::string& shown_as, std::string_view text,
                           InternalOptions& options, base::Diagnostics& diagnostics) {
    std::map<std::string, int> seen;
    Line line{shown_as, 0, {}};
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        line.text = text.substr(0, end);
        ++line.number;
        text.remove_prefix(std::min(end + 1, text.size()));
        constexpr std::string_view kSkipped = "# \t\r";
        if (!line.text.empty() && kSkipped.find(line.text.front()) == std::string_view::npos) {
            read_line(line, options, seen, diagnostics);
        }
    }
}

InternalOptions load_internal_options(const std::vector<std::string>& paths,
                                      base::Diagnostics& diagnostics) {
    InternalOptions options;
    for (const std::string& path : paths) {
        if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
            continue;
        }
        const auto text = base::read_text_file(path, kMaxFileBytes + 1);
        if (!text || text->size() > kMaxFileBytes) {
            diagnostics.add(base::make_error(
                "unreadable-file", text ? "the file has more than 256 KiB" : text.error().message,
                {path}));
            continue;
        }
        read_internal_options(path, *text, options, diagnostics);
    }
    return options;
}

}  // namespace portcullis::config
