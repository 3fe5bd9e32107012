// Configuration: everything that ossec.conf of one home names, loaded into one immutable value.
// Shared by daemon and logtest, so that both always analyse alike; the daemon swaps it at a reload.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/app/home.hpp"
#include "engine/base/diagnostic.hpp"
#include "engine/config/engine_config.hpp"
#include "engine/pipeline/analyzer.hpp"

namespace portcullis::app {

struct Configuration {
    config::EngineConfig engine;
    pipeline::Configuration analysis;
    std::vector<std::string> decoder_files;  // that were loaded, as ossec.conf names them

    // For an Analyzer: shares ownership of the whole.
    static std::shared_ptr<const pipeline::Configuration> analysis_of(
        const std::shared_ptr<const Configuration>& configuration);
};

// What the analysis of lines remembers at most.
rules::CorrelatorLimits correlator_limits(const config::EngineConfig& engine);

// Reads `config_path` and the decoder, rule and list files it names, which are relative to `home`.
// All that is wrong with any of them is in `diagnostics`; nullptr if one of them is an error.
std::shared_ptr<const Configuration> load_configuration(const Home& home,
                                                        const std::string& config_path,
                                                        base::Diagnostics& diagnostics);

}  // namespace portcullis::app
