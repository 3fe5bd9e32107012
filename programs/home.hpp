// Home: the paths of one installation (docs/layout.md).
//
// One folder with OSSEC's layout. `run` and `var` belong to root; `logs/alerts` and `queue` to the
// engine's user. Relative paths of ossec.conf are relative to the home.
#pragma once

#include <string>
#include <string_view>

namespace portcullis::programs {

inline constexpr std::string_view kDefaultHome = "/var/lib/portcullis";
// The user that the engine becomes if it is started as root.
inline constexpr std::string_view kDefaultEngineUser = "portcullis";

class Home {
  public:
    explicit Home(std::string path);

    const std::string& path() const { return path_; }
    // `relative` below the home; an absolute path stays as it is.
    std::string resolve(std::string_view relative) const;

    std::string config() const { return resolve("etc/ossec.conf"); }
    std::string log() const { return resolve("logs/ossec.log"); }
    std::string alerts() const { return resolve("logs/alerts"); }  // folder
    std::string responses_log() const { return resolve("logs/active-responses.log"); }
    std::string responses_json() const { return resolve("logs/active-responses.json"); }
    std::string responders() const { return resolve("active-response/bin"); }  // folder
    std::string queue() const { return resolve("queue"); }                     // the engine's state
    std::string bans() const { return resolve("var/execd"); }  // execd's state, 0700
    std::string execd_socket() const { return resolve("run/execd.sock"); }
    // "engine" → run/engine.pid, which the daemon keeps locked while it runs.
    std::string pid_file(std::string_view daemon) const;

  private:
    std::string path_;
};

}  // namespace portcullis::programs
