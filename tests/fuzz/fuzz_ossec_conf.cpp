#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/config/engine_config.hpp"

using namespace portcullis;

// What can be loaded keeps the promises that the stages rely on.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    base::Diagnostics diagnostics;
    const auto config = config::parse_engine_config("ossec.conf", text, diagnostics);
    base::render(diagnostics);
    if (config.max_bans < 1 || config.max_bans_per_minute < 1 || config.memory_size < 2048 ||
        config.executables.size() < config.commands.size()) {
        std::abort();
    }
    for (const auto& command : config.commands) {
        if (command.name.empty() || command.executable.find('/') != std::string::npos) {
            std::abort();
        }
    }
    for (const auto& response : config.active_responses) {
        bool is_known = false;
        for (const auto& command : config.commands) {
            is_known = is_known || command.name == response.command;
        }
        if (!is_known) {
            std::abort();
        }
    }
    return 0;
}
