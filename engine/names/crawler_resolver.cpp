#include "engine/names/crawler_resolver.hpp"

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"
#include "base/ptr_answer.hpp"

namespace portcullis::names {
namespace {

using std::chrono::seconds;

}  // namespace

bool is_crawler_name(std::string_view name) {
    constexpr std::string_view kDomain = "googlebot.com";
    if (name.ends_with('.')) {
        name.remove_suffix(1);
    }
    if (name.size() < kDomain.size()) {
        return false;
    }
    const std::string_view end = name.substr(name.size() - kDomain.size());
    return base::equals_ignoring_case(end, kDomain) &&
           (name.size() == kDomain.size() || name[name.size() - kDomain.size() - 1] == '.');
}

base::Result<std::unique_ptr<CrawlerResolver>> CrawlerResolver::start(
    base::EventLoop& loop, const CrawlerResolverSettings& settings) {
    auto channel = base::DnsChannel::open(loop, settings.dns);
    if (!channel) {
        return base::fail(channel.error());
    }
    return std::unique_ptr<CrawlerResolver>(
        new CrawlerResolver(loop, settings, std::move(*channel)));
}

CrawlerResolver::CrawlerResolver(base::EventLoop& loop, CrawlerResolverSettings settings,
                                 std::unique_ptr<base::DnsChannel> channel)
    : loop_(loop),
      settings_(std::move(settings)),
      send_timer_(base::EventLoop::no_source()),
      channel_(std::move(channel)) {}

CrawlerResolver::Counters& CrawlerResolver::Counters::operator+=(const Counters& other) {
    asked += other.asked;
    failed += other.failed;
    not_asked += other.not_asked;
    evicted += other.evicted;
    return *this;
}

bool CrawlerResolver::look_up_crawler(const base::IpAddress& address) {
    const auto known = known_.find(address);
    if (known != known_.end() && Clock::now() < known->second.until) {
        return known->second.is_crawler;
    }
    if (!base::special_use_of(address).empty() || open_.contains(address)) {
        return false;
    }
    if (open_.size() >= settings_.max_questions || !take_question()) {
        ++counters_.not_asked;
        return false;
    }
    open_.insert(address);
    waiting_.push_back(address);
    if (!send_timer_) {
        send_timer_ = loop_.call_after(std::chrono::nanoseconds(0), [this] { send_waiting(); });
    }
    return false;
}

bool CrawlerResolver::take_question() {
    const auto now = Clock::now();
    if (now >= second_began_ + seconds(1)) {
        second_began_ = now;
        asked_this_second_ = 0;
    }
    return ++asked_this_second_ <= settings_.questions_a_second;
}

void CrawlerResolver::send_waiting() {
    send_timer_.reset();
    for (const base::IpAddress& address : std::exchange(waiting_, {})) {
        ++counters_.asked;
        channel_->ask_name(address, [this, address](base::DnsStatus status,
                                                    std::span<const std::uint8_t> message) {
            const auto answer = base::parse_ptr_answer(message);
            on_name(address, status, answer ? answer->name : std::string());
        });
    }
}

// Whoever owns an address may give it any name; only that the name leads back proves it.
void CrawlerResolver::on_name(const base::IpAddress& address, base::DnsStatus status,
                              const std::string& name) {
    if (status == base::DnsStatus::Failed) {
        ++counters_.failed;
        store_answer(address, false, settings_.failure_lifetime);
        return;
    }
    if (!is_crawler_name(name)) {
        store_answer(address, false, settings_.other_lifetime);
        return;
    }
    channel_->ask_addresses(
        name, address.is_v4(),
        [this, address](base::DnsStatus forward, const std::vector<base::IpAddress>& addresses) {
            if (forward == base::DnsStatus::Failed) {
                ++counters_.failed;
                store_answer(address, false, settings_.failure_lifetime);
                return;
            }
            const bool is_crawler =
                std::find(addresses.begin(), addresses.end(), address) != addresses.end();
            store_answer(address, is_crawler,
                         is_crawler ? settings_.crawler_lifetime : settings_.other_lifetime);
        });
}

void CrawlerResolver::store_answer(const base::IpAddress& address, bool is_crawler,
                                   seconds lifetime) {
    open_.erase(address);
    const Known known{is_crawler, Clock::now() + lifetime};
    if (!known_.insert_or_assign(address, known).second) {
        return;
    }
    order_.push_back(address);
    while (order_.size() > settings_.max_known) {
        known_.erase(order_.front());
        order_.pop_front();
        ++counters_.evicted;
    }
}

}  // namespace portcullis::names
