// The part of ossec.conf that execd uses. It reads nothing else, so no decoder or rule file is
// parsed as root.
#pragma once

#include <string>

#include "base/diagnostic.hpp"
#include "engine/config/engine_config.hpp"
#include "engine/execd/execd_config.hpp"
#include "programs/home.hpp"

namespace portcullis::programs {

// The part of `config` that execd uses.
execd::ExecdConfig execd_config_of(const config::EngineConfig& config);

// Reads `config_path`. Also an error: a command that cannot be run ("missing-executable", at its
// <executable>). Use the result only if there are no errors.
execd::ExecdConfig load_execd_config(const Home& home, const std::string& config_path,
                                     base::Diagnostics& diagnostics);

}  // namespace portcullis::programs
