// The options of the Analyzer in a configuration. The daemon and logtest differ only in their
// `Behaviour`.
#pragma once

#include <cstdint>
#include <string>

#include "engine/config/engine_config.hpp"
#include "engine/pipeline/analyzer.hpp"

namespace portcullis::programs {

enum class Behaviour : std::uint8_t {
    Live,  // as the daemon: drops repeated messages, normalises firewall events, …
    Test,  // as OSSEC's logtest (spec: logtest, section 6)
};

// The short name of this host: up to the first dot; "ossec-server" if it has none (spec:
// predecoding, section 4).
std::string local_hostname();

pipeline::AnalyzerOptions analysis_options(const config::EngineConfig& engine, Behaviour behaviour);

}  // namespace portcullis::programs
