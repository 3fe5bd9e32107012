#include "programs/daemon_configuration.hpp"

#include "engine/config/input_files.hpp"

namespace portcullis::programs {

std::shared_ptr<const HomeConfiguration> load_daemon_configuration(const Home& home,
                                                                   const std::string& config_path,
                                                                   base::Diagnostics& diagnostics) {
    auto loaded = load_configuration(home, config_path, diagnostics);
    // Even if there are errors already: all errors are shown at once.
    base::Diagnostics seen_before;
    const config::EngineConfig engine =
        loaded ? loaded->engine : config::load_engine_config(config_path, seen_before);
    config::check_executables(engine, home.responders(), diagnostics);
    return diagnostics.has_errors() ? nullptr : loaded;
}

}  // namespace portcullis::programs
