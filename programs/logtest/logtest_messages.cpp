#include "programs/logtest/logtest_messages.hpp"

#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <string>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace portcullis::programs {
namespace {

// OSSEC-COMPAT: the program's name for itself.
constexpr std::string_view kProgram = "ossec-testrule";

std::string message(std::string_view level, std::string_view text) {
    return fmt::format("{:%Y/%m/%d %H:%M:%S} {}: {}: {}\n", fmt::localtime(std::time(nullptr)),
                       kProgram, level, text);
}

}  // namespace

void announce(const HomeConfiguration& configuration, bool is_quiet) {
    std::string text;
    if (configuration.engine.decoder_files_are_default) {
        text += message("INFO", "Reading local decoder file.");
    } else if (!is_quiet) {
        for (const std::string& file : configuration.decoder_files) {
            text += message("INFO", fmt::format("Reading decoder file {}.", file));
        }
    }
    text += message("INFO", fmt::format("Started (pid: {}).", ::getpid()));
    text += fmt::format("{}: Type one log per line.\n\n", kProgram);
    fmt::print(stderr, "{}", text);
}

void debug_message(std::string_view text) { fmt::print(stderr, "{}", message("DEBUG", text)); }

}  // namespace portcullis::programs
