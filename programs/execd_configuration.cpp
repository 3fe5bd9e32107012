#include "programs/execd_configuration.hpp"

#include "engine/execd/child_process.hpp"

namespace portcullis::programs {

execd::ExecdConfig execd_config_of(const config::EngineConfig& config) {
    execd::ExecdConfig result;
    for (const auto& command : config.commands) {
        result.commands.push_back({command.name, command.executable, command.expects_srcip,
                                   command.expects_user, command.expects_filename,
                                   command.persistent});
    }
    for (const auto& response : config.active_responses) {
        result.bindings.push_back({response.command, response.timeout, response.block,
                                   response.forgeable_timeout.value_or(std::chrono::seconds(0))});
    }
    static_cast<base::BanSettings&>(result) = static_cast<const base::BanSettings&>(config);
    return result;
}

execd::ExecdConfig load_execd_config(const Home& home, const std::string& config_path,
                                     base::Diagnostics& diagnostics) {
    const auto config = config::load_engine_config(config_path, diagnostics);
    for (const auto& executable : config.executables) {
        if (const auto reason = execd::reason_not_to_run(home.responders(), executable.path)) {
            diagnostics.add(executable.error("missing-executable", *reason));
        }
    }
    execd::ExecdConfig result = execd_config_of(config);
    for (std::string& file : result.white_list_files) {
        file = home.resolve(file);
    }
    return result;
}

}  // namespace portcullis::programs
