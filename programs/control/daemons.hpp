// The daemons of one home as portcullis-control handles them: start, stop, restart, reload, status.
//
// A daemon runs if it holds the lock of its pid file (see PidFile); signals go to exactly that
// process, never to a recycled id. Each function prints to standard output or error and returns
// the exit code: 0 = done, 1 = failed (the message says why), and of status 3 = not all run.
#pragma once

#include <string>

#include "programs/control/daemon_status.hpp"
#include "programs/home.hpp"

namespace portcullis::programs {

inline constexpr int kExitNotRunning = 3;

// Checks the configuration, then starts execd, engine and, if there is an iplog.conf (in the home's
// etc; of the default home: /etc/iplog.conf), sensor, each once it is ready. If one cannot be
// started, those that this call started are stopped again.
int start_daemons(const Home& home, const std::string& config_path);

// Stops sensor, engine and execd, waiting for each. Blocks stay until their time is over.
int stop_daemons(const Home& home);

// Checks the configuration first, so that a bad one stops nothing.
int restart_daemons(const Home& home, const std::string& config_path);

// Checks the configuration and tells the running daemons to load it.
int reload_daemons(const Home& home, const std::string& config_path);

// What runs, and what the daemons count. Prints nothing.
HomeStatus status_of(const Home& home);
int show_status(const Home& home);

}  // namespace portcullis::programs
