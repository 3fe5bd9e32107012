#include "base/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/ascii.hpp"

namespace portcullis::base {
namespace {

std::string_view word_of(LogLevel level) {
    switch (level) {
        case LogLevel::Debug:
            return "DEBUG";
        case LogLevel::Info:
            return "INFO";
        case LogLevel::Warning:
            return "WARNING";
        case LogLevel::Error:
            return "ERROR";
        case LogLevel::Critical:
            return "CRITICAL";
    }
    return "INFO";
}

}  // namespace

Result<void> Log::open_file(const std::string& path) {
    UniqueFd fd = open_for_append(path, 0640);
    if (!fd) {
        return fail("unwritable-file", "cannot open the log: " + error_text(errno), {path});
    }
    file_ = std::move(fd);
    return {};
}

void Log::write(LogLevel level, std::string_view text) {
    if (level == LogLevel::Debug && !debug_) {
        return;
    }
    std::string clean(text);
    while (!clean.empty() && clean.back() == '\n') {
        clean.pop_back();
    }
    std::replace_if(
        clean.begin(), clean.end(), [](char c) { return is_control(c) && c != '\n'; }, ' ');
    const std::string line =
        fmt::format("{:%Y/%m/%d %H:%M:%S} {}: {}: {}\n", fmt::localtime(std::time(nullptr)),
                    program_, word_of(level), clean);
    // A log that cannot be written must not stop the program.
    if (to_stderr_) {
        write_all(STDERR_FILENO, line);
    }
    if (file_) {
        write_all(file_.get(), line);
    }
}

}  // namespace portcullis::base
