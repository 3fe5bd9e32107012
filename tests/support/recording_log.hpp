// RecordingLog: a Log that keeps each message as "LEVEL: text".
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"

namespace portcullis::test {

class RecordingLog final : public base::Log {
  public:
    RecordingLog() : Log("test") {}
    void write(base::LogLevel level, std::string_view text) override {
        static constexpr std::string_view kWords[] = {"DEBUG", "INFO", "WARNING", "ERROR",
                                                      "CRITICAL"};
        messages.push_back(std::string(kWords[static_cast<std::size_t>(level)]) + ": " +
                           std::string(text));
    }
    // Messages that contain `part`.
    std::size_t count(std::string_view part) const {
        return static_cast<std::size_t>(std::count_if(
            messages.begin(), messages.end(),
            [&](const std::string& message) { return message.find(part) != std::string::npos; }));
    }

    std::vector<std::string> messages;
};

}  // namespace portcullis::test
