#include "sensor/live_sensor.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/privileges.hpp"

namespace portcullis {
namespace {

constexpr std::chrono::seconds kStatusPeriod{5};
// The kernel reports changes of interfaces and addresses. This look finds what it did not report.
constexpr std::chrono::seconds kHostPeriod{15};

using sensor_config::Switch;

}  // namespace

sensor_capture::FilterSettings filter_settings(const sensor_config::SensorSettings& settings) {
    sensor_capture::FilterSettings filter;
    filter.tcp = settings[sensor_config::Switch::Tcp];
    filter.udp = settings[sensor_config::Switch::Udp];
    filter.congestion_flags =
        settings[sensor_config::Switch::IplogCompat] && settings[sensor_config::Switch::Bogus];
    filter.only_ours = settings.promisc.empty();
    const bool is_iplog = settings[sensor_config::Switch::IplogCompat];
    filter.other_protocols = !is_iplog;
    filter.arp = !filter.only_ours && !is_iplog;
    return filter;
}

sensor_detect::ReturnPath HostReturnPath::judge(const base::IpAddress& source,
                                                const base::IpAddress& destination,
                                                std::uint32_t interface) {
    const auto to = destination == base::IpAddress() ? std::nullopt : std::optional(destination);
    switch (paths_.judge(source, interface, to, clock_.now())) {
        case sensor_capture::ReturnPath::Same:
            return sensor_detect::ReturnPath::Same;
        case sensor_capture::ReturnPath::Other:
            return sensor_detect::ReturnPath::Other;
        case sensor_capture::ReturnPath::Filtered:
            return sensor_detect::ReturnPath::Filtered;
        case sensor_capture::ReturnPath::Unknown:
            break;
    }
    return sensor_detect::ReturnPath::Unknown;
}

LiveSensor::LiveSensor(sensor_pipeline::Sensor& sensor,
                       const sensor_config::SensorSettings& settings, Options options,
                       std::vector<OpenInterface> open)
    : sensor_(sensor),
      options_(std::move(options)),
      interfaces_(loop_, options_.interfaces,
                  {sensor, [this] { sensor_.log().flush(); }, [this] { after_packets(); },
                   [this](const std::string& text) { say(text); },
                   [this] { sensor_.set_local_addresses(interfaces_.own_addresses()); }},
                  std::move(open)) {
    sensor_.set_local_addresses(interfaces_.own_addresses());
    sensor_.set_return_path(&return_path_);
    set_up_lookups(settings);
    sources_.push_back(loop_.watch_signal(SIGTERM, [this] { end(SIGTERM); }));
    if (options_.ends_on_interrupt) {
        sources_.push_back(loop_.watch_signal(SIGINT, [this] { end(SIGINT); }));
    }
    sources_.push_back(loop_.watch_signal(SIGHUP, [this] { restart(); }));
    sources_.push_back(loop_.call_every(kStatusPeriod, [this] {
        options_.report_counters(counters());
        if (interfaces_.missing() > 0) {
            interfaces_.follow_host();
        }
    }));
    sources_.push_back(loop_.call_every(kHostPeriod, [this] { interfaces_.follow_host(); }));
}

LiveSensor::~LiveSensor() {
    sensor_.reporter().set_host_lookup(nullptr);
    sensor_.reporter().set_ident_lookup(nullptr);
    sensor_.set_own_traffic(nullptr);
    sensor_.set_on_tcp(nullptr);
    sensor_.set_return_path(nullptr);
}

int LiveSensor::run() {
    options_.report_counters(counters());
    const int exit_code = loop_.run();
    if (exit_code != 0) {
        say("the event loop failed, so this ends: please report it as a bug");
    }
    return exit_code;
}

void LiveSensor::say(const std::string& text) {
    sensor_.log().add(clock_.now(), text);
    sensor_.log().flush();
}

void LiveSensor::set_up_lookups(const sensor_config::SensorSettings& settings) {
    sensor_lookup::NameResolverSettings resolver;
    if (settings[Switch::TcpResolve] || settings[Switch::UdpResolve] ||
        settings[Switch::IcmpResolve]) {
        for (const base::IpAddress& address : options_.nameservers()) {
            resolver.dns.servers.push_back({address});
        }
    }
    resolver.keeps_names = settings[Switch::DnsCache];
    base::Result<void> set;
    if (resolver_) {
        set = resolver_->set_settings(resolver);
    } else if (auto started = sensor_lookup::NameResolver::start(loop_, resolver)) {
        resolver_ = std::move(*started);
        sensor_.reporter().set_host_lookup(resolver_.get());
        sensor_.set_own_traffic([this](const sensor_packet::Packet& packet) {
            return resolver_->is_own_answer(packet);
        });
    } else {
        set = base::fail(started.error());
    }
    if (!set) {
        say(fmt::format("Warning: {}", set.error().message));
    }
    if (settings[Switch::GetIdent] && !ident_) {
        ident_ = std::make_unique<sensor_lookup::IdentClient>(
            loop_, [this](sensor_detect::Observation attempt, std::string_view user) {
                attempt.time = clock_.now();
                sensor_.reporter().report_attempt(attempt, user);
                sensor_.log().flush();
            });
    } else if (!settings[Switch::GetIdent] && ident_) {
        ident_->give_up();
        ident_.reset();
    }
    sensor_.reporter().set_ident_lookup(ident_.get());
    set_up_fooler(settings[Switch::FoolNmap]);
}

void LiveSensor::set_up_fooler(bool is_wanted) {
    if (!is_wanted) {
        options_.fooler.reset();
    } else if (!options_.fooler) {
        const base::CapabilityInEffect privilege(CAP_NET_RAW);
        if (auto opened = sensor_fingerprint::NmapFooler::open()) {
            options_.fooler = std::move(*opened);
        } else {
            say(fmt::format("Warning: {}", opened.error().message));
        }
    }
    if (!options_.fooler) {
        sensor_.set_on_tcp(nullptr);
        return;
    }
    sensor_.set_on_tcp([this](const sensor_packet::Packet& packet, base::Timestamp now) {
        // Never in the name of hosts that are only watched (promisc).
        const auto& ours = interfaces_.own_addresses();
        if (std::binary_search(ours.begin(), ours.end(), packet.destination)) {
            options_.fooler->on_packet(packet, now);
        }
    });
}

void LiveSensor::after_packets() {
    arm_timer();
    if (resolver_) {
        resolver_->send_waiting();
    }
}

sensor_pipeline::SensorCounters LiveSensor::counters() {
    sensor_pipeline::SensorCounters counters = sensor_.counters();
    const sensor_capture::CaptureCounters captured = interfaces_.counters();
    counters.emplace_back("packets_captured", captured.received);
    counters.emplace_back("packets_dropped_by_kernel", captured.dropped_by_kernel);
    counters.emplace_back("packets_dropped_by_interface", captured.dropped_by_interface);
    counters.emplace_back("interfaces_lost", interfaces_.losses());
    counters.emplace_back("interfaces_missing", interfaces_.missing());
    if (resolver_) {
        const auto names = resolver_->counters();
        counters.emplace_back("names_asked", names.asked);
        counters.emplace_back("names_answered", names.answered);
        counters.emplace_back("names_failed", names.failed);
        counters.emplace_back("names_not_asked", names.not_asked);
        counters.emplace_back("names_forgotten_early", names.evictions);
    }
    if (ident_) {
        counters.emplace_back("users_asked", ident_->counters().asked);
        counters.emplace_back("users_answered", ident_->counters().answered);
        counters.emplace_back("users_not_asked", ident_->counters().not_asked);
    }
    if (options_.fooler) {
        counters.emplace_back("nmap_probes_answered", options_.fooler->answers());
    }
    return counters;
}

void LiveSensor::on_time() {
    armed_for_.reset();
    // An answer that waits in the capture buffer must be processed before its probe is overdue.
    const base::Timestamp now = clock_.now();
    interfaces_.drain();
    sensor_.advance(now);
    after_packets();
}

void LiveSensor::arm_timer() {
    const auto deadline = sensor_.next_deadline();
    if (!deadline || (armed_for_ && *armed_for_ <= *deadline)) {
        return;
    }
    armed_for_ = *deadline;
    const auto delay =
        std::max<std::chrono::nanoseconds>(*deadline - clock_.now(), std::chrono::milliseconds(1));
    timer_ = loop_.call_after(delay, [this] { on_time(); });
}

void LiveSensor::end(int signal) {
    interfaces_.drain();
    if (ident_) {
        ident_->give_up();
    }
    sensor_.finish(clock_.now());
    say(fmt::format("iplog statistics: {}", sensor_pipeline::statistics_text(counters())));
    sensor_.log().add(clock_.now(), fmt::format("Caught signal {}, exiting.", signal));
    sensor_.log().finish(clock_.now());
    options_.report_counters(counters());
    loop_.quit(0);
}

void LiveSensor::restart() {
    interfaces_.drain();
    sensor_.log().add(clock_.now(), fmt::format("Restarting iplog (pid {}).", ::getpid()));
    sensor_.log().finish(clock_.now());
    if (const auto settings = options_.reload()) {
        sensor_.set_settings(*settings);
        set_up_lookups(*settings);
        interfaces_.listen_on(settings->interfaces, !settings->promisc.empty());
        interfaces_.set_filter(filter_settings(*settings));
    }
    if (const auto reopened = sensor_.log().reopen(); !reopened) {
        sensor_.log().add(clock_.now(), fmt::format("Warning: {}", reopened.error().message));
    }
    sensor_.log().add(clock_.now(), "iplog started.");
    sensor_.log().flush();
    options_.report_counters(counters());
    interfaces_.follow_host();
}

}  // namespace portcullis
