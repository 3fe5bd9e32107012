#include "programs/analysis_options.hpp"

#include <unistd.h>

#include <array>

#include "programs/configuration.hpp"

namespace portcullis::programs {

std::string local_hostname() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0 || name.front() == '\0') {
        return "ossec-server";
    }
    const std::string full = name.data();
    return full.substr(0, full.find('.'));
}

pipeline::AnalyzerOptions analysis_options(const config::EngineConfig& engine,
                                           Behaviour behaviour) {
    pipeline::AnalyzerOptions options;
    if (behaviour == Behaviour::Live) {
        options = pipeline::live_options({});
        options.drop_repeated_messages = engine.drop_repeated_messages;
        options.normalize_firewall = engine.internal.log_fw != 0;
    }
    options.local_hostname = local_hostname();
    options.limits = correlator_limits(engine);
    return options;
}

}  // namespace portcullis::programs
