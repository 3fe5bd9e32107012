// NeverBlock: the never-block list, the addresses that must not be blocked (docs/never-block.md).
//
// It joins all sources of protected addresses, reads them at its start, and follows their changes.
// It calls `on_changed` from the event loop when an address may have become protected, so that its
// ban is lifted. Single-threaded on the event loop.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.hpp"
#include "base/ip_address.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "engine/execd/execd_config.hpp"
#include "engine/execd/host_files.hpp"
#include "engine/execd/host_names.hpp"
#include "engine/execd/login_records.hpp"
#include "engine/execd/network_facts.hpp"
#include "engine/execd/outbound_peers.hpp"
#include "engine/execd/protection.hpp"
#include "engine/execd/socket_diag.hpp"
#include "engine/execd/ssh_watch.hpp"
#include "engine/execd/white_list_files.hpp"

namespace portcullis::execd {

// Returns the network of `prefix_length` bits around the IPv6 address `target`. Returns `target`
// itself if `is_taken` says that this network holds a protected address or a neighbour, or if
// `target` is not a single IPv6 address.
base::Cidr widened(const base::Cidr& target, int prefix_length,
                   const std::function<bool(const base::Cidr&)>& is_taken);

class NeverBlock final : public Protection {
  public:
    // `root` precedes /etc, /run, /var and /proc; "" = the host's own. `log` gets the problems of
    // white list files. `loop` and `log` must outlive this. Error "no-netlink": the routes of the
    // host cannot be read, so no address may be blocked.
    static base::Result<std::unique_ptr<NeverBlock>> open(base::EventLoop& loop, base::Log& log,
                                                          std::string root);
    ~NeverBlock() override = default;
    NeverBlock(const NeverBlock&) = delete;
    NeverBlock& operator=(const NeverBlock&) = delete;

    // Replaces the white list and the kinds of addresses to spare. Waits up to two seconds for the
    // addresses of host names.
    void configure(const ExecdConfig& config);
    void set_on_changed(std::function<void()> on_changed) { on_changed_ = std::move(on_changed); }

    std::optional<std::string> reason_to_spare(const base::Cidr& target) override;
    std::optional<std::string> standing_reason(const base::Cidr& target) override;
    bool has_connection(const base::Cidr& target) override;
    base::Cidr widen(const base::Cidr& target, int prefix_length) override;
    std::vector<ProtectedEntry> all_protected() override;
    std::vector<base::Cidr> on_link_networks() override { return network_.on_link().all(); }

  private:
    NeverBlock(base::EventLoop& loop, base::Log& log, std::string root, NetworkFacts network);
    bool refresh_files();
    void apply_host_names();
    void look_around();
    void report_change();

    base::EventLoop& loop_;
    std::string root_;
    base::CidrSet networks_;
    std::vector<std::string> names_configured_;
    std::vector<std::string> names_in_use_;
    std::unique_ptr<HostNames> names_;
    NetworkFacts network_;
    HostFiles files_;
    WhiteListFiles white_list_files_;
    LoginRecords logins_;
    int login_days_ = 0;  // 0 = logins protect no address
    std::optional<OutboundPeers> outbound_;
    std::chrono::steady_clock::time_point files_read_;
    std::optional<SocketDiag> diag_;
    SshWatch ssh_;
    // Found during a call of reason_to_spare() or all_protected().
    bool has_unreported_change_ = false;
    std::function<void()> on_changed_;
    base::EventLoop::Source on_network_ = base::EventLoop::no_source();
    base::EventLoop::Source on_names_ = base::EventLoop::no_source();
    base::EventLoop::Source on_ssh_ = base::EventLoop::no_source();
    base::EventLoop::Source on_ssh_look_ = base::EventLoop::no_source();
    base::EventLoop::Source on_outbound_ = base::EventLoop::no_source();
    base::EventLoop::Source on_tick_ = base::EventLoop::no_source();
};

}  // namespace portcullis::execd
