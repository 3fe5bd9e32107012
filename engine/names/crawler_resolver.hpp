// CrawlerResolver: asks DNS whether addresses are a search engine's. The analysis never waits for
// it.
//
//   analysis ── look_up_crawler() ──▶ cache ── not known: asked in the next round of the loop
//                                       ▲        PTR of the address, then the addresses of the
//                                       └─────── name; the answer is kept for a time
//
// Anyone who can write a log line can cause a query, so everything is bounded: known addresses,
// open queries, queries per second. Used by one thread, on the owner's loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/dns_channel.hpp"
#include "base/event_loop.hpp"
#include "base/result.hpp"
#include "engine/rules/crawler_names.hpp"

namespace portcullis::names {

// `name` is googlebot.com or ends in .googlebot.com, in any case, with or without a final dot.
bool is_crawler_name(std::string_view name);

struct CrawlerResolverSettings {
    base::DnsSettings dns;
    std::size_t max_known = 4'096;
    std::size_t max_questions = 64;  // open at a time
    std::size_t questions_a_second = 32;
    std::chrono::seconds crawler_lifetime{86'400};
    std::chrono::seconds other_lifetime{3'600};
    std::chrono::seconds failure_lifetime{60};
};

class CrawlerResolver final : public rules::CrawlerNames {
  public:
    // `loop` must outlive it. Error "no-resolver".
    static base::Result<std::unique_ptr<CrawlerResolver>> start(
        base::EventLoop& loop, const CrawlerResolverSettings& settings);
    ~CrawlerResolver() override = default;
    CrawlerResolver(const CrawlerResolver&) = delete;
    CrawlerResolver& operator=(const CrawlerResolver&) = delete;

    bool look_up_crawler(const base::IpAddress& address) override;

    struct Counters {
        std::uint64_t asked = 0;      // addresses
        std::uint64_t failed = 0;     // … without an answer
        std::uint64_t not_asked = 0;  // … because a limit was reached
        std::uint64_t evicted = 0;    // known ones that made room

        Counters& operator+=(const Counters& other);
    };
    const Counters& counters() const { return counters_; }

  private:
    using Clock = std::chrono::steady_clock;
    struct Known {
        bool is_crawler = false;
        Clock::time_point until;
    };

    CrawlerResolver(base::EventLoop& loop, CrawlerResolverSettings settings,
                    std::unique_ptr<base::DnsChannel> channel);
    // Takes one of the questions of this second; false = there are none left.
    bool take_question();
    void send_waiting();
    void on_name(const base::IpAddress& address, base::DnsStatus status, const std::string& name);
    void store_answer(const base::IpAddress& address, bool is_crawler,
                      std::chrono::seconds lifetime);

    base::EventLoop& loop_;
    CrawlerResolverSettings settings_;
    std::map<base::IpAddress, Known> known_;
    std::deque<base::IpAddress> order_;  // of known_, the oldest first
    std::set<base::IpAddress> open_;     // waiting or asked
    std::vector<base::IpAddress> waiting_;
    Clock::time_point second_began_{};
    std::size_t asked_this_second_ = 0;
    Counters counters_;
    base::EventLoop::Source send_timer_;
    std::unique_ptr<base::DnsChannel> channel_;  // last: it calls back into the rest
};

}  // namespace portcullis::names
