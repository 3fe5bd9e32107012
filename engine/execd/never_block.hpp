// NeverBlock: the addresses that no response is ever made against (docs/never-block.md).
//
// Gathers every source; each is read when this is made, and followed. Calls `on_changed` from the
// event loop when an address may have become protected, so that its ban is lifted.
// Single-threaded on the event loop.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/event_loop.hpp"
#include "engine/base/ip_address.hpp"
#include "engine/base/result.hpp"
#include "engine/execd/host_files.hpp"
#include "engine/execd/host_names.hpp"
#include "engine/execd/network_facts.hpp"
#include "engine/execd/protection.hpp"
#include "engine/execd/ssh_watch.hpp"

namespace portcullis::execd {

class NeverBlock final : public Protection {
  public:
    // `root` precedes /etc, /run, /var and /proc; "" = the host's own. `loop` must outlive
    // this. Error "no-netlink": without this host's routes nothing may be blocked.
    static base::Result<std::unique_ptr<NeverBlock>> open(base::EventLoop& loop, std::string root);
    ~NeverBlock() override = default;
    NeverBlock(const NeverBlock&) = delete;
    NeverBlock& operator=(const NeverBlock&) = delete;

    // The <white_list> of the configuration, in place of the one before.
    void set_white_list(base::CidrSet networks, std::vector<std::string> host_names);
    void set_on_changed(std::function<void()> on_changed) { on_changed_ = std::move(on_changed); }

    std::optional<std::string> reason_to_spare(const base::Cidr& target) override;
    std::optional<std::string> standing_reason(const base::Cidr& target) override;

  private:
    NeverBlock(base::EventLoop& loop, std::string root, NetworkFacts network);
    void look_around();
    void tell_changed();

    base::EventLoop& loop_;
    std::string root_;
    base::CidrSet networks_;
    std::vector<std::string> names_given_;
    std::unique_ptr<HostNames> names_;
    NetworkFacts network_;
    HostFiles files_;
    std::chrono::steady_clock::time_point files_read_;
    SshWatch ssh_;
    bool has_untold_news_ = false;  // found while an address was judged
    std::function<void()> on_changed_;
    base::EventLoop::Source on_network_ = base::EventLoop::no_source();
    base::EventLoop::Source on_names_ = base::EventLoop::no_source();
    base::EventLoop::Source on_ssh_ = base::EventLoop::no_source();
    base::EventLoop::Source on_ssh_look_ = base::EventLoop::no_source();
    base::EventLoop::Source on_tick_ = base::EventLoop::no_source();
};

}  // namespace portcullis::execd
