#include "sensor/lookup/name_resolver.hpp"

#include <algorithm>
#include <utility>

#include "base/ptr_answer.hpp"

namespace portcullis::sensor_lookup {
namespace {

using std::chrono::seconds;

// Limits of the lifetime of an answer, whatever its TTL says: long enough for the next line, and
// not without an end.
constexpr seconds kShortest{10};
constexpr seconds kLongest{86400};
constexpr seconds kLongestWithoutName{3600};  // RFC 2308 section 5 wants one to three hours
constexpr seconds kAfterFailure{60};
constexpr seconds kWithoutCache{10};

}  // namespace

base::Result<std::unique_ptr<NameResolver>> NameResolver::start(
    base::EventLoop& loop, const NameResolverSettings& settings) {
    std::unique_ptr<NameResolver> resolver(new NameResolver(loop));
    if (auto set = resolver->set_settings(settings); !set) {
        return base::fail(set.error());
    }
    return resolver;
}

NameResolver::NameResolver(base::EventLoop& loop) : loop_(loop) {}

base::Result<void> NameResolver::set_settings(const NameResolverSettings& settings) {
    channel_.reset();
    asked_.clear();
    wanted_.clear();
    if (cache_.size() == 0 || settings.max_names != settings_.max_names) {
        cache_ = NameCache(settings.max_names);
    }
    settings_ = settings;
    if (settings.dns.servers.empty()) {
        return {};
    }
    auto channel = base::DnsChannel::open(loop_, settings.dns);
    if (!channel) {
        return base::fail(channel.error());
    }
    channel_ = std::move(*channel);
    return {};
}

std::string_view NameResolver::name_of(const base::IpAddress& address) {
    if (!channel_) {
        return {};
    }
    if (const auto known = cache_.find(address, NameCache::Time::clock::now())) {
        return *known;
    }
    const auto holds = [&](const std::vector<base::IpAddress>& list) {
        return std::find(list.begin(), list.end(), address) != list.end();
    };
    if (!holds(wanted_) && !holds(asked_)) {
        if (wanted_.size() + asked_.size() < settings_.max_questions) {
            wanted_.push_back(address);
        } else {
            ++counters_.not_asked;
        }
    }
    return {};
}

bool NameResolver::may_ask(NameCache::Time now) {
    if (now >= second_began_ + seconds(1)) {
        second_began_ = now;
        asked_this_second_ = 0;
    }
    return ++asked_this_second_ <= settings_.questions_per_second;
}

void NameResolver::send_waiting() {
    if (wanted_.empty()) {
        return;
    }
    const auto now = NameCache::Time::clock::now();
    for (const base::IpAddress& address : std::exchange(wanted_, {})) {
        if (!may_ask(now)) {
            ++counters_.not_asked;
            continue;
        }
        ++counters_.asked;
        asked_.push_back(address);
        channel_->ask_name(address, [this, address](base::DnsStatus status,
                                                    std::span<const std::uint8_t> message) {
            on_answer(address, status, message);
        });
    }
}

void NameResolver::on_answer(const base::IpAddress& address, base::DnsStatus status,
                             std::span<const std::uint8_t> message) {
    asked_.erase(std::remove(asked_.begin(), asked_.end(), address), asked_.end());
    const bool is_answer = status != base::DnsStatus::Failed;
    const auto answer = base::parse_ptr_answer(message);
    seconds lifetime = kAfterFailure;
    if (is_answer && answer) {
        ++counters_.answered;
        lifetime = std::clamp(answer->lifetime, kShortest,
                              answer->name.empty() ? kLongestWithoutName : kLongest);
    } else {
        ++counters_.failed;
    }
    if (!settings_.keeps_names) {
        lifetime = std::min(lifetime, kWithoutCache);
    }
    cache_.put(address, is_answer && answer ? answer->name : std::string(),
               NameCache::Time::clock::now() + lifetime);
}

bool NameResolver::is_own_answer(const sensor_packet::Packet& packet) const {
    if (packet.transport != sensor_packet::Transport::Udp || !channel_) {
        return false;
    }
    const bool is_server =
        std::any_of(settings_.dns.servers.begin(), settings_.dns.servers.end(),
                    [&](const base::DnsServer& server) {
                        return server.port == packet.source_port && server.address == packet.source;
                    });
    return is_server && channel_->has_used_port(packet.destination_port);
}

NameResolverCounters NameResolver::counters() const {
    NameResolverCounters counters = counters_;
    counters.evictions = cache_.evictions();
    return counters;
}

}  // namespace portcullis::sensor_lookup
