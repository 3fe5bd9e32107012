// DaemonStatus: what is known of the daemons of a home, as values, and how it is shown to a person.
// The functions neither ask nor print anything.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portcullis::programs {

// The counters that a daemon writes into its status file.
struct CounterList {
    std::vector<std::pair<std::string, std::string>> counters;  // name and number, in their order
    std::size_t left_out = 0;  // other entries, and counters beyond kMaxCounters
};

inline constexpr std::size_t kMaxCounters = 200;

// Reads `text`, the JSON of a status file. A daemon that was taken over writes anything: names that
// could steer a terminal or look like another line are left out. Text that is not a JSON object has
// no counters.
CounterList parse_counters(std::string_view text);

enum class DaemonState {
    Running,
    NotRunning,
    NotConfigured,
    Hidden,  // its pid file may not be read, so only root sees whether it runs
};

struct DaemonStatus {
    std::string name;
    DaemonState state = DaemonState::NotRunning;
    pid_t pid = 0;              // of a Running one
    std::string pid_file;       // of a Hidden one
    std::string counters_file;  // as messages name it
    CounterList counters;       // of one that does not run: its last ones
};

struct HomeStatus {
    std::vector<DaemonStatus> daemons;
    std::optional<std::string> bans;  // as ban_count() returns it
};

std::string text_of(const HomeStatus& status);
// Why the state of a daemon is Hidden.
std::string hidden_text(std::string_view pid_file);

}  // namespace portcullis::programs
