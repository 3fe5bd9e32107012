// The configuration for the daemons: in addition to what logtest checks, commands must be
// executable. Used at start, at reload and by portcullis-control.
#pragma once

#include <memory>
#include <string>

#include "programs/configuration.hpp"

namespace portcullis::programs {

// Like load_configuration(); in addition each command must be an executable file in
// <home>/active-response/bin.
std::shared_ptr<const HomeConfiguration> load_daemon_configuration(const Home& home,
                                                                   const std::string& config_path,
                                                                   base::Diagnostics& diagnostics);

}  // namespace portcullis::programs
