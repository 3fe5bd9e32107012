#include "programs/control/daemon_status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/ascii.hpp"

namespace portcullis::programs {
namespace {

bool is_counter_name(std::string_view name) {
    constexpr std::size_t kMaxName = 48;
    return !name.empty() && name.size() <= kMaxName &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return base::is_lower(c) || base::is_digit(c) || c == '_'; });
}

std::string state_text(const DaemonStatus& daemon) {
    switch (daemon.state) {
        case DaemonState::Running:
            return fmt::format("runs (process {})", daemon.pid);
        case DaemonState::NotConfigured:
            return "not configured";
        case DaemonState::Hidden:
            return "cannot be seen: " + hidden_text(daemon.pid_file);
        case DaemonState::NotRunning:
            break;
    }
    return "does not run";
}

}  // namespace

std::string hidden_text(std::string_view pid_file) {
    return fmt::format("{} may not be read: only root sees whether it runs", pid_file);
}

CounterList parse_counters(std::string_view text) {
    CounterList list;
    const auto status = nlohmann::ordered_json::parse(text, nullptr, false);
    if (!status.is_object()) {
        return list;
    }
    for (const auto& [name, value] : status.items()) {
        if (!value.is_number() || name == "pid" || name == "started" || name == "written") {
            continue;
        }
        if (!is_counter_name(name) || list.counters.size() >= kMaxCounters) {
            ++list.left_out;
            continue;
        }
        list.counters.emplace_back(name, value.dump());
    }
    return list;
}

std::string text_of(const HomeStatus& status) {
    std::string text;
    for (const DaemonStatus& daemon : status.daemons) {
        text += fmt::format("{:<8} {}\n", daemon.name, state_text(daemon));
        for (const auto& [name, value] : daemon.counters.counters) {
            text += fmt::format("  {:<30} {}\n", name, value);
        }
        if (daemon.counters.left_out > 0) {
            text += fmt::format("  {} entries of {} are not counters and are not shown\n",
                                daemon.counters.left_out, daemon.counters_file);
        }
    }
    if (status.bans) {
        text += fmt::format("{:<8} {}\n", "blocks", *status.bans);
    }
    return text;
}

}  // namespace portcullis::programs
