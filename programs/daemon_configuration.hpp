// The configuration as the daemons need it: what logtest checks, and that commands can be run.
// Used at start, at reload and by portcullis-control.
#pragma once

#include <memory>
#include <string>

#include "programs/configuration.hpp"

namespace portcullis::programs {

// As load_configuration(); in addition each command must be an executable file of
// <home>/active-response/bin.
std::shared_ptr<const HomeConfiguration> load_daemon_configuration(const Home& home,
                                                                   const std::string& config_path,
                                                                   base::Diagnostics& diagnostics);

}  // namespace portcullis::programs
