// portcullis-control why IP: whether an address is blocked, and what led to that: the lines, the
// alert, the response and each step of execd's decision, also if the address was not blocked.
//
// Reads what the daemons have written, from the end and within limits, and says what it could not
// find. Prints to standard output or error and returns the exit code.
#pragma once

#include <string>

#include "programs/home.hpp"

namespace portcullis::programs {

int explain(const Home& home, const std::string& config_path, const std::string& address);

}  // namespace portcullis::programs
