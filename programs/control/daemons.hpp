// The daemons of one home as portcullis-control handles them: start, stop, restart, reload, status.
//
// A daemon runs if it holds the lock of its pid file (see PidFile). Signals go to exactly that
// process, never to a recycled id. The functions that return an int print to standard output or
// error, and return the exit code: 0 = done, 1 = failed (the message says why), 3 = a daemon does
// not run (show_status).
#pragma once

#include <string>

#include "programs/control/daemon_status.hpp"
#include "programs/home.hpp"

namespace portcullis::programs {

inline constexpr int kExitNotRunning = 3;

// Checks the configuration, then starts execd, engine and sensor, each when the one before is
// ready. The sensor is started only if there is an iplog.conf: in the home's etc, or in /etc for
// the default home. If a daemon cannot be started, those that this call started are stopped again.
int start_daemons(const Home& home, const std::string& config_path);

// Stops sensor, engine and execd, and waits for each. Each ban lasts until its end.
int stop_daemons(const Home& home);

// Checks the configuration, then stops and starts the daemons. A bad one stops nothing.
int restart_daemons(const Home& home, const std::string& config_path);

// Checks the configuration, then signals the running daemons to load it.
int reload_daemons(const Home& home, const std::string& config_path);

// Prints what runs and what the daemons count, and then the number of bans. execd is asked for that
// last, so that the lines before it are there even if it does not answer.
int show_status(const Home& home);

}  // namespace portcullis::programs
