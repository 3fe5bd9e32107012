#include "sensor/live_sensor.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "sensor/daemon.hpp"

namespace portcullis {
namespace {

// Lines other than detections wait for the end of a batch at most.
constexpr int kBatch = 64;
// After so many batches other interfaces and signals get their turn.
constexpr int kMaxBatches = 64;

constexpr std::chrono::seconds kFollowPeriod{5};

using sensor_config::Switch;

void add(const sensor_capture::CaptureCounters& more, sensor_capture::CaptureCounters& sum) {
    sum.received += more.received;
    sum.dropped_by_kernel += more.dropped_by_kernel;
    sum.dropped_by_interface += more.dropped_by_interface;
}

}  // namespace

sensor_capture::FilterSettings filter_settings(const sensor_config::SensorSettings& settings) {
    sensor_capture::FilterSettings filter;
    filter.tcp = settings[sensor_config::Switch::Tcp];
    filter.udp = settings[sensor_config::Switch::Udp];
    filter.congestion_flags =
        settings[sensor_config::Switch::IplogCompat] && settings[sensor_config::Switch::Bogus];
    filter.only_ours = settings.promisc.empty();
    return filter;
}

std::vector<OpenInterface> open_interfaces(const std::vector<std::string>& names, bool promiscuous,
                                           std::vector<std::string>& failures) {
    std::vector<OpenInterface> open;
    for (const std::string& name : names.empty() ? sensor_capture::usable_interfaces() : names) {
        auto source = sensor_capture::open_interface(name, promiscuous);
        if (source) {
            open.push_back({name, std::move(*source)});
        } else {
            failures.push_back(source.error().message);
        }
    }
    return open;
}

LiveSensor::LiveSensor(Sensor& sensor, const sensor_config::SensorSettings& settings,
                       Options options, std::vector<OpenInterface> open)
    : sensor_(sensor),
      options_(std::move(options)),
      own_addresses_(sensor_capture::host_addresses()) {
    sensor_.set_local_addresses(own_addresses_);
    set_up_lookups(settings);
    for (OpenInterface& interface : open) {
        interfaces_.push_back(std::make_unique<Interface>());
        interfaces_.back()->name = std::move(interface.name);
        interfaces_.back()->source = std::move(interface.source);
        watch(*interfaces_.back());
    }
    // A named interface that could not be opened is tried again.
    for (const std::string& name : options_.interfaces) {
        const bool is_known = std::any_of(interfaces_.begin(), interfaces_.end(),
                                          [&](const auto& known) { return known->name == name; });
        if (!is_known) {
            interfaces_.push_back(std::make_unique<Interface>());
            interfaces_.back()->name = name;
        }
    }
    sources_.push_back(loop_.watch_signal(SIGTERM, [this] { end(SIGTERM); }));
    if (options_.ends_on_interrupt) {
        sources_.push_back(loop_.watch_signal(SIGINT, [this] { end(SIGINT); }));
    }
    sources_.push_back(loop_.watch_signal(SIGHUP, [this] { restart(); }));
    sources_.push_back(loop_.call_every(kFollowPeriod, [this] { follow_host(); }));
}

LiveSensor::~LiveSensor() {
    sensor_.reporter().set_host_lookup(nullptr);
    sensor_.reporter().set_ident_lookup(nullptr);
    sensor_.set_own_traffic(nullptr);
    sensor_.set_on_tcp(nullptr);
}

int LiveSensor::run() {
    options_.report_counters(counters());
    return loop_.run();
}

void LiveSensor::say(const std::string& text) {
    sensor_.log().add(clock_.now(), text);
    sensor_.log().flush();
}

void LiveSensor::set_up_lookups(const sensor_config::SensorSettings& settings) {
    sensor_resolve::ResolverSettings resolver;
    if (settings[Switch::TcpResolve] || settings[Switch::UdpResolve] ||
        settings[Switch::IcmpResolve]) {
        for (const base::IpAddress& address : options_.nameservers()) {
            resolver.servers.push_back({address});
        }
    }
    resolver.keeps_names = settings[Switch::DnsCache];
    base::Result<void> set;
    if (resolver_) {
        set = resolver_->set_settings(resolver);
    } else if (auto started = sensor_resolve::NameResolver::start(loop_, resolver)) {
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
        ident_ = std::make_unique<sensor_resolve::IdentClient>(
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
        const RawPrivilege privilege;
        if (auto opened = sensor_fool::NmapFooler::open()) {
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
        // Never in the name of hosts that are only watched over (promisc).
        if (std::find(own_addresses_.begin(), own_addresses_.end(), packet.destination) !=
            own_addresses_.end()) {
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

SensorCounters LiveSensor::counters() {
    SensorCounters counters = sensor_.counters();
    sensor_capture::CaptureCounters captured = closed_;
    for (const auto& interface : interfaces_) {
        if (interface->source) {
            add(interface->source->counters(), captured);
        }
    }
    counters.emplace_back("packets_captured", captured.received);
    counters.emplace_back("packets_dropped_by_kernel", captured.dropped_by_kernel);
    counters.emplace_back("packets_dropped_by_interface", captured.dropped_by_interface);
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

void LiveSensor::watch(Interface& interface) {
    set_filter(interface);
    interface.watch =
        loop_.watch_fd(interface.source->fd(), EPOLLIN, [this, &interface](std::uint32_t) {
            drain(interface);
            after_packets();
        });
}

void LiveSensor::set_filter(Interface& interface) {
    sensor_capture::FilterSettings filter = options_.filter;
    filter.ours = own_addresses_;
    if (!interface.source->set_filter(filter)) {
        sensor_.log().add(
            clock_.now(),
            fmt::format("Warning: the kernel refuses the filter for {}.", interface.name));
    }
}

void LiveSensor::drain(Interface& interface) {
    for (int batch = 0; batch < kMaxBatches && interface.source; ++batch) {
        const auto count = interface.source->read(kBatch, sensor_);
        sensor_.log().flush();
        if (!count) {
            interface.watch = base::EventLoop::no_source();
            add(interface.source->counters(), closed_);
            interface.source.reset();
            sensor_.log().add(clock_.now(),
                              fmt::format("Warning: interface {} went down.", interface.name));
            sensor_.log().flush();
            return;
        }
        if (*count < kBatch) {
            return;
        }
    }
}

void LiveSensor::drain_all() {
    for (const auto& interface : interfaces_) {
        drain(*interface);
    }
}

void LiveSensor::on_time() {
    armed_for_.reset();
    // An answer that waits in the capture buffer must be seen before its probe is called overdue.
    const base::Timestamp now = clock_.now();
    drain_all();
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

void LiveSensor::follow_host() {
    options_.report_counters(counters());
    if (auto addresses = sensor_capture::host_addresses(); addresses != own_addresses_) {
        own_addresses_ = std::move(addresses);
        sensor_.set_local_addresses(own_addresses_);
        for (const auto& interface : interfaces_) {
            if (interface->source) {
                set_filter(*interface);
            }
        }
    }
    if (options_.interfaces.empty()) {
        for (const std::string& name : sensor_capture::usable_interfaces()) {
            const bool is_known =
                std::any_of(interfaces_.begin(), interfaces_.end(),
                            [&](const auto& known) { return known->name == name; });
            if (is_known) {
                continue;
            }
            const RawPrivilege privilege;
            auto source = sensor_capture::open_interface(name, options_.is_promiscuous);
            if (source) {
                interfaces_.push_back(std::make_unique<Interface>());
                interfaces_.back()->name = name;
                interfaces_.back()->source = std::move(*source);
                watch(*interfaces_.back());
            }
        }
    }
    for (const auto& interface : interfaces_) {
        if (interface->source) {
            continue;
        }
        const RawPrivilege privilege;
        auto source = sensor_capture::open_interface(interface->name, options_.is_promiscuous);
        if (source) {
            interface->source = std::move(*source);
            watch(*interface);
            sensor_.log().add(clock_.now(),
                              fmt::format("Interface {} was reopened.", interface->name));
            sensor_.log().flush();
        }
    }
}

void LiveSensor::end(int signal) {
    drain_all();
    if (ident_) {
        ident_->give_up();
    }
    sensor_.finish(clock_.now());
    say(fmt::format("iplog statistics: {}", statistics_text(counters())));
    sensor_.log().add(clock_.now(), fmt::format("Caught signal {}, exiting.", signal));
    sensor_.log().finish(clock_.now());
    options_.report_counters(counters());
    loop_.quit(0);
}

void LiveSensor::restart() {
    drain_all();
    sensor_.log().add(clock_.now(), fmt::format("Restarting iplog (pid {}).", ::getpid()));
    sensor_.log().finish(clock_.now());
    if (const auto settings = options_.reload()) {
        sensor_.set_settings(*settings);
        set_up_lookups(*settings);
        options_.filter = filter_settings(*settings);
        for (const auto& interface : interfaces_) {
            if (interface->source) {
                set_filter(*interface);
            }
        }
    }
    if (const auto reopened = sensor_.log().reopen(); !reopened) {
        sensor_.log().add(clock_.now(), fmt::format("Warning: {}", reopened.error().message));
    }
    sensor_.log().add(clock_.now(), "iplog started.");
    sensor_.log().flush();
    follow_host();
}

}  // namespace portcullis
