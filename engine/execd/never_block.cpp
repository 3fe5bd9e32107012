#include "engine/execd/never_block.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <utility>

namespace portcullis::execd {
namespace {

using std::chrono::steady_clock;

// How old what the files say may be when an address is judged, and how soon a ban is lifted
// because of what they say.
constexpr std::chrono::milliseconds kMaxFileAge{500};
constexpr std::chrono::seconds kTick{2};
constexpr std::chrono::minutes kSshLook{1};

}  // namespace

base::Result<std::unique_ptr<NeverBlock>> NeverBlock::open(base::EventLoop& loop,
                                                           std::string root) {
    auto network = NetworkFacts::open();
    if (!network) {
        return base::fail(std::move(network.error()));
    }
    return std::unique_ptr<NeverBlock>(new NeverBlock(loop, std::move(root), std::move(*network)));
}

NeverBlock::NeverBlock(base::EventLoop& loop, std::string root, NetworkFacts network)
    : loop_(loop),
      root_(std::move(root)),
      names_(std::make_unique<HostNames>(std::vector<std::string>())),
      network_(std::move(network)),
      files_(root_),
      files_read_(steady_clock::now()),
      ssh_(root_) {
    on_network_ = loop_.watch_fd(network_.fd(), EPOLLIN, [this](std::uint32_t) {
        if (network_.follow()) {
            tell_changed();
        }
    });
    if (ssh_.fd() >= 0) {
        on_ssh_ = loop_.watch_fd(ssh_.fd(), EPOLLIN, [this](std::uint32_t) { ssh_.follow(); });
        on_ssh_look_ = loop_.call_every(kSshLook, [this] { ssh_.look_again(); });
    }
    on_tick_ = loop_.call_every(kTick, [this] { look_around(); });
}

void NeverBlock::tell_changed() {
    if (on_changed_) {
        on_changed_();
    }
}

void NeverBlock::look_around() {
    files_read_ = steady_clock::now();
    const bool files_changed = files_.refresh();
    const bool network_changed = network_.follow();
    if (files_changed || network_changed || has_untold_news_) {
        has_untold_news_ = false;
        tell_changed();
    }
}

void NeverBlock::set_white_list(base::CidrSet networks, std::vector<std::string> host_names) {
    networks_ = std::move(networks);
    if (host_names == names_given_) {
        return;
    }
    names_given_ = host_names;
    on_names_ = base::EventLoop::no_source();
    names_ = std::make_unique<HostNames>(std::move(host_names));
    if (names_->fd() >= 0) {
        on_names_ = loop_.watch_fd(names_->fd(), EPOLLIN, [this](std::uint32_t) {
            names_->take_news();
            tell_changed();
        });
    }
}

std::optional<std::string> NeverBlock::standing_reason(const base::Cidr& target) {
    if (const auto use = base::special_use_of(target.address); !use.empty()) {
        return fmt::format("{} address", use);
    }
    if (const auto* network = networks_.find_overlap(target)) {
        return fmt::format("white_list {}", network->to_string());
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
    return std::nullopt;
}

std::optional<std::string> NeverBlock::reason_to_spare(const base::Cidr& target) {
    has_untold_news_ = network_.follow() || has_untold_news_;
    if (const auto now = steady_clock::now(); now - files_read_ >= kMaxFileAge) {
        files_read_ = now;
        has_untold_news_ = files_.refresh() || has_untold_news_;
    }
    if (auto reason = standing_reason(target)) {
        return reason;
    }
    if (auto title = ssh_.find_session(target)) {
        return fmt::format("peer of an authenticated ssh session ({})", *title);
    }
    return std::nullopt;
}

}  // namespace portcullis::execd
