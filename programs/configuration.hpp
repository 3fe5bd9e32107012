// HomeConfiguration: everything that ossec.conf of one home names, loaded into one immutable value.
// The daemon and logtest both use it, so that they analyse alike; the daemon replaces it at a
// reload.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/config/engine_config.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/xml/document.hpp"
#include "programs/home.hpp"

namespace portcullis::programs {

struct HomeConfiguration {
    config::EngineConfig engine;
    pipeline::AnalyzerConfig analysis;
    std::vector<std::string> decoder_files;  // that were loaded, as ossec.conf names them

    // For an Analyzer: shares ownership of the whole.
    static std::shared_ptr<const pipeline::AnalyzerConfig> analysis_of(
        const std::shared_ptr<const HomeConfiguration>& configuration);
};

// The limits of what the analysis remembers.
rules::CorrelatorLimits correlator_limits(const config::EngineConfig& engine);

// The files of a configuration, for lint.
struct ConfigurationSources {
    std::vector<xml::Document> decoders;  // in the order of loading
    std::vector<xml::Document> rules;
};

// Reads `config_path` and the decoder, rule and list files it names, which are relative to `home`.
// Adds all mistakes in them to `diagnostics`; nullptr = one of them is an error. `sources`, if
// given, gets the files that could be read.
std::shared_ptr<const HomeConfiguration> load_configuration(
    const Home& home, const std::string& config_path, base::Diagnostics& diagnostics,
    ConfigurationSources* sources = nullptr);

}  // namespace portcullis::programs
