// NameResolver: the names of addresses from DNS, without ever waiting for one.
//
// name_of() says what is in the cache now and notes what is not; send_waiting(), called when the
// packets at hand are dealt with, asks for it; the answer is there for a later line. Bounded in
// every direction: names kept, questions on the way, questions per second (spoofed sources must not
// make us flood a name server). What does not fit is counted and asked again by the next line that
// wants it. Single-threaded.
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
    // `dns_cache false`: names are kept for a moment only, since a name that is not kept cannot be
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
    // `loop` must outlive it. Error "no-resolver".
    static base::Result<std::unique_ptr<NameResolver>> start(base::EventLoop& loop,
                                                             const NameResolverSettings& settings);
    ~NameResolver() override = default;
    NameResolver(const NameResolver&) = delete;
    NameResolver& operator=(const NameResolver&) = delete;

    // Other servers or limits from now on; questions on the way are given up, names stay.
    base::Result<void> set_settings(const NameResolverSettings& settings);

    std::string_view name_of(const base::IpAddress& address) override;

    // Asks for what name_of() could not tell.
    void send_waiting();

    // An answer of one of our servers to a question of ours: no traffic worth a line.
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
