// Configuration: everything that ossec.conf of one home names, loaded into one immutable value.
// Shared by daemon and logtest, so that both always analyse alike; the daemon swaps it at a reload.
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

struct Configuration {
    config::EngineConfig engine;
    pipeline::AnalyzerConfig analysis;
    std::vector<std::string> decoder_files;  // that were loaded, as ossec.conf names them

    // For an Analyzer: shares ownership of the whole.
    static std::shared_ptr<const pipeline::AnalyzerConfig> analysis_of(
        const std::shared_ptr<const Configuration>& configuration);
};

// What the analysis of lines remembers at most.
rules::CorrelatorLimits correlator_limits(const config::EngineConfig& engine);

// The files that a configuration was made of, for whoever looks at how it is written.
struct ConfigurationSources {
    std::vector<xml::Document> decoders;  // in the order of loading
    std::vector<xml::Document> rules;
};

// Reads `config_path` and the decoder, rule and list files it names, which are relative to `home`.
// All that is wrong with any of them is in `diagnostics`; nullptr if one of them is an error.
// `sources`, if given, gets the files that could be read.
std::shared_ptr<const Configuration> load_configuration(const Home& home,
                                                        const std::string& config_path,
                                                        base::Diagnostics& diagnostics,
                                                        ConfigurationSources* sources = nullptr);

}  // namespace portcullis::programs
