// portcullis-control why IP: shows whether an address is blocked, and why: the log lines, the
// alert, the response and each step of execd's decision, also if the address was not blocked.
//
// Reads the logs of the daemons from their end and within limits, and names the files that it could
// not read. Prints to standard output or error, and returns the exit code.
#pragma once

#include <string>

#include "programs/home.hpp"

namespace portcullis::programs {

int explain(const Home& home, const std::string& config_path, const std::string& address);

}  // namespace portcullis::programs
