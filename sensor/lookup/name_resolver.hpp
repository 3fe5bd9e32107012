// NameResolver: the names of addresses from DNS. It never waits for one.
//
// name_of() returns a name from the cache, or notes that it is missing. send_waiting() sends the
// queries for missing names, after the waiting packets are processed. A later line has the name.
// The numbers of names, of running queries and of queries per second are limited, so that forged
// sources cannot make us flood a name server. Queries beyond the limits are counted, and repeated
// when the next line needs the name. Single-threaded.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/dns_channel.hpp"
#include "base/event_loop.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "sensor/lookup/name_cache.hpp"
#include "sensor/packet/packet.hpp"
#include "sensor/report/names.hpp"

namespace portcullis::sensor_lookup {

struct NameResolverSettings {
    base::DnsSettings dns;           // without servers nothing is ever asked
    std::size_t max_names = 4096;    // kept at once
    std::size_t max_questions = 64;  // on the way at once
    std::uint32_t questions_per_second = 100;
    // `dns_cache false` keeps names for a few seconds, because a name that is not kept cannot be
    // written at all.
    bool keeps_names = true;
};

struct NameResolverCounters {
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;   // with a name, or that there is none
    std::uint64_t failed = 0;     // no answer in time, or one that says nothing
    std::uint64_t not_asked = 0;  // too many at once
    std::uint64_t evictions = 0;
};

class NameResolver final : public sensor_report::HostLookup {
  public:
    // `loop` must outlive the resolver. Error "no-resolver".
    static base::Result<std::unique_ptr<NameResolver>> start(base::EventLoop& loop,
                                                             const NameResolverSettings& settings);
    ~NameResolver() override = default;
    NameResolver(const NameResolver&) = delete;
    NameResolver& operator=(const NameResolver&) = delete;

    // Uses other servers or limits from now on. Running queries are dropped, names stay.
    base::Result<void> set_settings(const NameResolverSettings& settings);

    std::string_view name_of(const base::IpAddress& address) override;

    // Sends the queries for names that name_of() did not find.
    void send_waiting();

    // True for an answer of one of our servers to a query of ours: it gets no line.
    bool is_own_answer(const sensor_packet::Packet& packet) const;

    NameResolverCounters counters() const;

  private:
    explicit NameResolver(base::EventLoop& loop);
    void on_answer(const base::IpAddress& address, base::DnsStatus status,
                   std::span<const std::uint8_t> message);
    bool may_ask(NameCache::Time now);

    base::EventLoop& loop_;
    NameResolverSettings settings_;
    NameCache cache_{0};
    std::vector<base::IpAddress> wanted_;
    std::vector<base::IpAddress> asked_;  // on the way
    NameCache::Time second_began_;
    std::uint32_t asked_this_second_ = 0;
    NameResolverCounters counters_;
    std::unique_ptr<base::DnsChannel> channel_;  // last: it calls back into the rest
};

}  // namespace portcullis::sensor_lookup
