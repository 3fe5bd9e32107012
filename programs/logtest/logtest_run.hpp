// --run: finds test files, loads the configuration of each home once, runs the tests and reports.
#pragma once

#include "programs/logtest/logtest_options.hpp"

namespace portcullis::programs {

// REQUIRES: options.run is not empty. Returns the exit status: 0 = there were tests and all passed.
int run_tests(const LogtestOptions& options);

}  // namespace portcullis::programs
