#include "engine/execd/records.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/ascii.hpp"

namespace portcullis::execd {
namespace {

constexpr std::string_view kOutcomeWords[] = {
    "executed", "undone",   "dry-run",   "spared",  "refused", "deferred",  "failed", "alarm",
    "expired",  "reported", "unchanged", "summary", "held",    "confirmed", "lifted"};

base::Result<base::UniqueFd> open_log(const std::string& path) {
    base::UniqueFd fd(
        ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640));
    if (!fd) {
        return base::fail(
            "unwritable-file",
            fmt::format("cannot open the log of active responses: {}", base::error_text(errno)),
            {path});
    }
    return fd;
}

// One argument of the line: blanks would split it, control characters could forge a record.
std::string word(std::string_view text) {
    std::string clean(text.empty() ? "-" : text);
    std::replace_if(
        clean.begin(), clean.end(), [](char c) { return base::is_control(c) || c == ' '; }, '_');
    return clean;
}

std::string sentence(std::string_view text) {
    std::string clean(text);
    std::replace_if(clean.begin(), clean.end(), base::is_control, ' ');
    return clean;
}

// U+0080 to U+009F, which control some terminals. People watch this file in a terminal.
std::string without_c1(std::string line) {
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
        if (line[i] == '\xc2' && static_cast<unsigned char>(line[i + 1]) < 0xa0) {
            line.replace(i, 2, "_");
        }
    }
    return line;
}

// Text after the reason: the kind of block and the evidence, unless it is a hard block for proven
// evidence.
std::string grade_of(const Record& record) {
    const bool is_proven = record.evidence == base::Evidence::Proven;
    if (is_proven && record.block == base::BlockKind::Hard) {
        return {};
    }
    switch (record.outcome) {
        case Outcome::Executed:
        case Outcome::Undone:
        case Outcome::DryRun:
        case Outcome::Failed:
        case Outcome::Unchanged:
            break;
        default:  // no block
            return is_proven ? std::string() : fmt::format(" ({})", base::word_of(record.evidence));
    }
    return fmt::format(" ({}, {})", base::word_of(record.block), base::word_of(record.evidence));
}

}  // namespace

std::string_view word_of(Outcome outcome) {
    return kOutcomeWords[static_cast<std::size_t>(outcome)];
}

std::string to_log_line(const Record& record) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(record.time.time_since_epoch());
    return without_c1(fmt::format(
        "{:%a %b %e %H:%M:%S %Z %Y} {} {} {} {} {} {} {} {} - {}: {}{}",
        fmt::localtime(static_cast<std::time_t>(seconds.count())), word(record.command),
        execd::word_of(record.action), word(record.user), word(record.address),
        word(record.alert_id), record.rule_id, word(record.location), word(record.filename),
        word_of(record.outcome), sentence(record.reason), grade_of(record)));
}

std::string to_json_line(const Record& record) {
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(record.time.time_since_epoch());
    nlohmann::json object = {
        {"time", static_cast<double>(micros.count()) / 1e6},
        {"action", execd::word_of(record.action)},
        {"command", record.command},
        {"address", record.address},
        {"user", record.user},
        {"rule", record.rule_id},
        {"alert", record.alert_id},
        {"location", record.location},
        {"filename", record.filename},
        {"timeout", record.timeout.count()},
        {"outcome", word_of(record.outcome)},
        {"reason", record.reason},
        {"evidence", base::word_of(record.evidence)},
        {"block", base::word_of(record.block)},
        {"steps", record.steps},
    };
    for (const auto& [outcome, count] : record.counts) {
        object["counts"][std::string(word_of(outcome))] = count;
    }
    return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

base::Result<Records> Records::open(const std::string& log_path, const std::string& json_path) {
    auto log = open_log(log_path);
    if (!log) {
        return base::fail(std::move(log.error()));
    }
    auto json = open_log(json_path);
    if (!json) {
        return base::fail(std::move(json.error()));
    }
    return Records(std::move(*log), std::move(*json));
}

bool Records::append(File& file, const std::string& line) {
    struct stat before {};
    const bool is_known = ::fstat(file.fd.get(), &before) == 0;
    if (base::write_all(file.fd.get(), (file.starts_torn ? "\n" : "") + line + "\n")) {
        file.starts_torn = false;
        return true;
    }
    // A full disk may have taken a part of the record, which would damage the next one as well.
    const bool is_mended = is_known && ::ftruncate(file.fd.get(), before.st_size) == 0;
    file.starts_torn = file.starts_torn || !is_mended;
    return false;
}

bool Records::write_to_both(const Record& record) {
    const bool is_logged = append(log_, to_log_line(record));
    return append(json_, to_json_line(record)) && is_logged;
}

void Records::write(const Record& record) {
    if (lost_ > 0) {
        Record gap;
        gap.time = record.time;
        gap.outcome = Outcome::Alarm;
        gap.reason = fmt::format("{} records before this could not be written", lost_);
        lost_ = write_to_both(gap) ? 0 : lost_;
    }
    if (!write_to_both(record)) {
        ++lost_;
    }
}

}  // namespace portcullis::execd
