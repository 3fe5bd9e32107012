#include "engine/execd/never_block.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace portcullis::execd {
namespace {

using std::chrono::steady_clock;

// Longest age of the content of the files when an address is checked, and longest time until a ban
// is lifted because of them.
constexpr std::chrono::milliseconds kMaxFileAge{500};
constexpr std::chrono::seconds kTick{2};
constexpr std::chrono::minutes kSshLook{1};
constexpr std::string_view kOutbound = "peer of a connection that this host opened";
constexpr std::size_t kMaxEntries = 100'000;  // of all_protected()

}  // namespace

base::Cidr widened(const base::Cidr& target, int prefix_length,
                   const std::function<bool(const base::Cidr&)>& is_taken) {
    if (target.address.is_v4() || !target.is_one_address() || prefix_length < 1 ||
        prefix_length >= target.prefix_length) {
        return target;
    }
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), target.address.data(), bytes.size());
    for (int i = 0; i < 16; ++i) {
        const int bits = std::clamp(prefix_length - 8 * i, 0, 8);
        auto& byte = bytes[static_cast<std::size_t>(i)];
        byte = static_cast<std::uint8_t>(byte & (0xff00 >> bits));
    }
    const base::Cidr network(base::IpAddress::v6(bytes), prefix_length);
    return is_taken(network) ? target : network;
}

base::Result<std::unique_ptr<NeverBlock>> NeverBlock::open(base::EventLoop& loop, base::Log& log,
                                                           std::string root) {
    auto network = NetworkFacts::open();
    if (!network) {
        return base::fail(std::move(network.error()));
    }
    return std::unique_ptr<NeverBlock>(
        new NeverBlock(loop, log, std::move(root), std::move(*network)));
}

NeverBlock::NeverBlock(base::EventLoop& loop, base::Log& log, std::string root,
                       NetworkFacts network)
    : loop_(loop),
      root_(std::move(root)),
      names_(std::make_unique<HostNames>(std::vector<std::string>())),
      network_(std::move(network)),
      files_(root_),
      white_list_files_(log),
      logins_(root_),
      files_read_(steady_clock::now()),
      diag_(SocketDiag::open()),
      ssh_(root_) {
    on_network_ = loop_.watch_fd(network_.fd(), EPOLLIN, [this](std::uint32_t) {
        if (network_.follow()) {
            report_change();
        }
    });
    if (ssh_.fd() >= 0) {
        on_ssh_ = loop_.watch_fd(ssh_.fd(), EPOLLIN, [this](std::uint32_t) { ssh_.follow(); });
        on_ssh_look_ = loop_.call_every(kSshLook, [this] { ssh_.look_again(); });
    }
    on_tick_ = loop_.call_every(kTick, [this] { look_around(); });
}

void NeverBlock::report_change() {
    if (on_changed_) {
        on_changed_();
    }
}

bool NeverBlock::refresh_files() {
    files_read_ = steady_clock::now();
    bool has_changed = files_.refresh();
    if (white_list_files_.refresh()) {
        has_changed = true;
        apply_host_names();
    }
    return (login_days_ > 0 && logins_.refresh()) || has_changed;
}

void NeverBlock::look_around() {
    const bool files_changed = refresh_files();
    const bool network_changed = network_.follow();
    if (files_changed || network_changed || has_unreported_change_) {
        has_unreported_change_ = false;
        report_change();
    }
    if (outbound_) {
        outbound_->begin_look(steady_clock::now());
    }
}

void NeverBlock::configure(const ExecdConfig& config) {
    networks_ = config.white_list;
    names_configured_ = config.white_list_hosts;
    white_list_files_.set_paths(config.white_list_files);
    login_days_ = config.spare_login_days;
    refresh_files();
    apply_host_names();
    if (!config.spare_outbound_peers) {
        on_outbound_ = base::EventLoop::no_source();
        outbound_.reset();
    } else if (!outbound_) {
        outbound_.emplace();
        if (outbound_->fd() >= 0) {
            outbound_->look(steady_clock::now());
            on_outbound_ = loop_.watch_fd(outbound_->fd(), EPOLLIN, [this](std::uint32_t) {
                outbound_->follow();
                if (outbound_->take_changed()) {
                    report_change();
                }
            });
        }
    }
}

void NeverBlock::apply_host_names() {
    auto wanted = names_configured_;
    for (auto& name : white_list_files_.host_names()) {
        wanted.push_back(std::move(name));
    }
    if (wanted == names_in_use_) {
        return;
    }
    if (names_in_use_.empty() || wanted.empty()) {
        on_names_ = base::EventLoop::no_source();
        // Waits only for the first names: at a start, an address may be banned at once.
        names_ = std::make_unique<HostNames>(wanted);
        if (names_->fd() >= 0) {
            on_names_ = loop_.watch_fd(names_->fd(), EPOLLIN, [this](std::uint32_t) {
                names_->take_news();
                report_change();
            });
        }
    } else {
        names_->set_names(wanted);
    }
    names_in_use_ = std::move(wanted);
}

std::optional<std::string> NeverBlock::standing_reason(const base::Cidr& target) {
    if (const auto use = base::special_use_of(target); !use.empty()) {
        return fmt::format("{} address", use);
    }
    if (const auto* network = networks_.find_overlap(target)) {
        return fmt::format("white_list {}", network->to_string());
    }
    if (auto meaning = white_list_files_.meaning_of(target); !meaning.empty()) {
        return meaning;
    }
    if (auto name = names_->name_of(target); !name.empty()) {
        return fmt::format("white_list {}", name);
    }
    if (const auto meaning = network_.meaning_of(target); !meaning.empty()) {
        return std::string(meaning);
    }
    if (auto meaning = files_.meaning_of(target); !meaning.empty()) {
        return meaning;
    }
    if (login_days_ > 0) {
        if (auto login = logins_.meaning_of(target, login_days_, base::SystemClock().now());
            !login.empty()) {
            return login;
        }
    }
    return std::nullopt;
}

std::optional<std::string> NeverBlock::reason_to_spare(const base::Cidr& target) {
    has_unreported_change_ = network_.follow() || has_unreported_change_;
    if (steady_clock::now() - files_read_ >= kMaxFileAge) {
        has_unreported_change_ = refresh_files() || has_unreported_change_;
    }
    if (auto reason = standing_reason(target)) {
        return reason;
    }
    if (auto title = ssh_.find_session(target)) {
        return fmt::format("peer of an authenticated ssh session ({})", *title);
    }
    if (outbound_) {
        if (auto connection = outbound_->find_connection(target, steady_clock::now())) {
            return fmt::format("{} ({})", kOutbound, *connection);
        }
    }
    return std::nullopt;
}

bool NeverBlock::has_connection(const base::Cidr& target) {
    bool is_found = false;
    const auto ask = [&] {
        return diag_ &&
               diag_->ask_and_read(SocketDiag::State::Established, SocketFilter::for_peers(target),
                                   [&](const TcpSocket&) { is_found = true; });
    };
    if (!ask()) {
        // The rest of an answer may wait in the old socket.
        diag_ = SocketDiag::open();
        ask();
    }
    return is_found;
}

base::Cidr NeverBlock::widen(const base::Cidr& target, int prefix_length) {
    return widened(target, prefix_length, [this](const base::Cidr& network) {
        return network_.is_on_link(network) || reason_to_spare(network).has_value();
    });
}

std::vector<ProtectedEntry> NeverBlock::all_protected() {
    has_unreported_change_ = network_.follow() || has_unreported_change_;
    has_unreported_change_ = refresh_files() || has_unreported_change_;
    std::vector<ProtectedEntry> entries;
    const auto add = [&](const base::Cidr& network, std::string reason) {
        if (entries.size() < kMaxEntries) {
            entries.push_back({network, std::move(reason)});
        }
    };
    for (const auto& [network, use] : base::special_networks()) {
        add(network, fmt::format("{} address", use));
    }
    for (const auto& network : networks_.all()) {
        add(network, fmt::format("white_list {}", network.to_string()));
    }
    white_list_files_.for_each(add);
    names_->for_each([&](const base::IpAddress& address, const std::string& name) {
        add(address, fmt::format("white_list {}", name));
    });
    for (const auto& [address, meaning] : network_.all()) {
        if (base::special_use_of(address).empty()) {
            add(address, std::string(meaning));
        }
    }
    for (const auto& [address, meaning] : files_.all()) {
        add(address, meaning);
    }
    if (login_days_ > 0) {
        logins_.for_each(login_days_, base::SystemClock().now(), add);
    }
    ssh_.for_each([&](const base::IpAddress& peer, const std::string& title) {
        add(peer, fmt::format("peer of an authenticated ssh session ({})", title));
    });
    if (outbound_) {
        outbound_->for_each(steady_clock::now(),
                            [&](const base::IpAddress& peer, const std::string& text) {
                                add(peer, fmt::format("{} ({})", kOutbound, text));
                            });
    }
    std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
        return std::pair(a.network.address, a.network.prefix_length) <
               std::pair(b.network.address, b.network.prefix_length);
    });
    return entries;
}

}  // namespace portcullis::execd
