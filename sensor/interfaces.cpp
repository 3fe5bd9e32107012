#include "sensor/interfaces.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sys/epoll.h>

#include <algorithm>

#include "base/privileges.hpp"

namespace portcullis {
namespace {

using sensor_capture::CaptureCounters;
using sensor_capture::FrameSource;

// Lines other than detections wait at most for the end of a batch.
constexpr int kBatch = 64;
// Batches of one interface after which other interfaces and signals get their turn.
constexpr int kMaxBatches = 64;

// The kernel reports changes in groups: an interface that comes up gets a name, a state and
// addresses.
constexpr std::chrono::milliseconds kNewsDelay{100};

constexpr std::chrono::seconds kFirstRetry{5};
constexpr std::chrono::seconds kLongestRetry{300};

// Most interfaces that are remembered after they have disappeared, as those of containers do.
constexpr std::size_t kMaxMissing = 256;

void add(const CaptureCounters& more, CaptureCounters& sum) {
    sum.received += more.received;
    sum.dropped_by_kernel += more.dropped_by_kernel;
    sum.dropped_by_interface += more.dropped_by_interface;
}

}  // namespace

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

Interfaces::Interfaces(base::EventLoop& loop, Settings settings, Owner owner,
                       std::vector<OpenInterface> open)
    : loop_(loop),
      settings_(std::move(settings)),
      owner_(std::move(owner)),
      own_addresses_(sensor_capture::host_addresses()),
      vlans_(sensor_capture::vlan_interfaces()) {
    for (OpenInterface& interface : open) {
        attach(obtain(interface.name), std::move(interface.source));
    }
    // A named interface that could not be opened is tried again.
    for (const std::string& name : settings_.names) {
        obtain(name);
    }
    apply_filters();  // with all names known, those of VLANs too
    if (changes_.fd() >= 0) {
        changes_watch_ =
            loop_.watch_fd(changes_.fd(), EPOLLIN, [this](std::uint32_t) { on_news(); });
    }
}

Interfaces::Interface& Interfaces::obtain(const std::string& name) {
    const auto known = std::find_if(interfaces_.begin(), interfaces_.end(),
                                    [&](const auto& each) { return each->name == name; });
    if (known != interfaces_.end()) {
        return **known;
    }
    interfaces_.push_back(std::make_unique<Interface>());
    interfaces_.back()->name = name;
    return *interfaces_.back();
}

void Interfaces::attach(Interface& interface, std::unique_ptr<FrameSource> source) {
    interface.source = std::move(source);
    interface.index = ::if_nametoindex(interface.name.c_str());
    interface.device_type = sensor_capture::device_type(interface.name);
    interface.was_open = true;
    interface.retry_delay = std::chrono::seconds(0);
    apply_filter(interface);
    interface.watch =
        loop_.watch_fd(interface.source->fd(), EPOLLIN, [this, &interface](std::uint32_t) {
            read(interface);
            owner_.after_packets();
        });
}

void Interfaces::read(Interface& interface) {
    for (int batch = 0; batch < kMaxBatches && interface.source; ++batch) {
        const auto count = interface.source->read(kBatch, owner_.sink);
        owner_.after_batch();
        if (!count) {
            lose(interface);
            return;
        }
        if (*count < kBatch) {
            return;
        }
    }
}

void Interfaces::close(Interface& interface) {
    interface.watch = base::EventLoop::no_source();
    add(interface.source->counters(), closed_);
    interface.source.reset();
}

void Interfaces::lose(Interface& interface) {
    close(interface);
    ++losses_;
    owner_.say(fmt::format("Warning: interface {} went down.", interface.name));
    if (!interface.device_type.empty()) {
        apply_filters();  // its frames are read on the other interfaces again
    }
}

// libpcap does not always notice it, because the socket reports the error while the interface still
// exists.
void Interfaces::lose_vanished() {
    for (const auto& interface : interfaces_) {
        if (interface->source && ::if_nametoindex(interface->name.c_str()) != interface->index) {
            read(*interface);  // what it has left
            if (interface->source) {
                lose(*interface);
            }
        }
    }
}

void Interfaces::drain() {
    for (const auto& interface : interfaces_) {
        read(*interface);
    }
}

void Interfaces::listen_on(const std::vector<std::string>& names, bool is_promiscuous) {
    if (names == settings_.names && is_promiscuous == settings_.is_promiscuous) {
        return;
    }
    const bool changes_mode = is_promiscuous != settings_.is_promiscuous;
    settings_.names = names;
    settings_.is_promiscuous = is_promiscuous;
    const auto wanted = names.empty() ? sensor_capture::usable_interfaces() : names;
    for (const auto& interface : interfaces_) {
        const bool is_wanted =
            std::find(wanted.begin(), wanted.end(), interface->name) != wanted.end();
        if (interface->source && (!is_wanted || changes_mode)) {
            read(*interface);  // what it has left
        }
        if (interface->source && (!is_wanted || changes_mode)) {
            close(*interface);
            interface->was_open = false;
        }
        interface->is_wanted = is_wanted;
    }
    std::erase_if(interfaces_, [](const auto& each) { return !each->is_wanted; });
    for (const std::string& name : wanted) {
        obtain(name);
    }
    open_missing(true);
    for (const auto& interface : interfaces_) {
        if (!interface->source) {
            owner_.say(fmt::format("Warning: cannot listen on {}.", interface->name));
        }
    }
    apply_filters();  // VLANs are left to their own interfaces, which may be others now
}

void Interfaces::set_filter(const sensor_capture::FilterSettings& filter) {
    settings_.filter = filter;
    apply_filters();
}

void Interfaces::apply_filter(Interface& interface) {
    sensor_capture::FilterSettings filter = settings_.filter;
    filter.ours = own_addresses_;
    // Frames of a VLAN are left to the interface of that VLAN if we listen on it as well.
    for (const sensor_capture::VlanInterface& vlan : vlans_) {
        const bool is_open = std::any_of(
            interfaces_.begin(), interfaces_.end(),
            [&](const auto& each) { return each->name == vlan.name && each->source != nullptr; });
        if (vlan.parent == interface.name && is_open) {
            filter.other_vlans.push_back(vlan.vlan);
        }
    }
    // The interface at the end of PPPoE or MACsec shows the contents as well.
    filter.pppoe = !is_open_type("ppp");
    filter.macsec = !is_open_type("macsec");
    if (!interface.source->set_filter(filter)) {
        owner_.say(fmt::format("Warning: the kernel refuses the filter for {}.", interface.name));
    }
}

bool Interfaces::is_open_type(std::string_view device_type) const {
    return std::any_of(interfaces_.begin(), interfaces_.end(), [&](const auto& each) {
        return each->source != nullptr && each->device_type == device_type;
    });
}

void Interfaces::apply_filters() {
    for (const auto& interface : interfaces_) {
        if (interface->source) {
            apply_filter(*interface);
        }
    }
}

void Interfaces::on_news() {
    changes_.drain();
    if (!is_news_waiting_) {
        is_news_waiting_ = true;
        news_timer_ = loop_.call_after(kNewsDelay, [this] {
            is_news_waiting_ = false;
            follow_host();
            open_missing(true);
        });
    }
}

void Interfaces::follow_host() {
    lose_vanished();
    auto addresses = sensor_capture::host_addresses();
    auto vlans = sensor_capture::vlan_interfaces();
    const bool has_new_addresses = addresses != own_addresses_;
    if (has_new_addresses || vlans != vlans_) {
        own_addresses_ = std::move(addresses);
        vlans_ = std::move(vlans);
        if (has_new_addresses) {
            owner_.on_addresses();
        }
        apply_filters();
    }
    if (settings_.names.empty()) {
        for (const std::string& name : sensor_capture::usable_interfaces()) {
            obtain(name);
        }
    }
    open_missing(false);
}

void Interfaces::open_missing(bool is_news) {
    const base::Timestamp now = clock_.now();
    bool has_opened = false;
    for (const auto& interface : interfaces_) {
        const bool is_due = is_news || now >= interface->retry_at ||
                            interface->retry_at > now + kLongestRetry;  // the clock was set back
        if (interface->source || !is_due || !sensor_capture::is_up(interface->name)) {
            continue;
        }
        auto source = [&] {
            const base::CapabilityInEffect privilege(CAP_NET_RAW);
            return sensor_capture::open_interface(interface->name, settings_.is_promiscuous);
        }();
        if (!source) {
            interface->retry_delay =
                std::clamp(interface->retry_delay * 2, kFirstRetry, kLongestRetry);
            interface->retry_at = now + interface->retry_delay;
            continue;
        }
        const bool was_open = interface->was_open;
        attach(*interface, std::move(*source));
        has_opened = true;
        if (was_open) {
            owner_.say(fmt::format("Interface {} was reopened.", interface->name));
        }
    }
    if (has_opened && (!vlans_.empty() || is_open_type("ppp") || is_open_type("macsec"))) {
        apply_filters();
    }
    // Only unnamed interfaces: the sensor waits for a named one without a limit.
    if (settings_.names.empty() && missing() > kMaxMissing) {
        const auto gone = std::find_if(interfaces_.begin(), interfaces_.end(),
                                       [](const auto& each) { return each->source == nullptr; });
        interfaces_.erase(gone);
    }
}

CaptureCounters Interfaces::counters() const {
    CaptureCounters counters = closed_;
    for (const auto& interface : interfaces_) {
        if (interface->source) {
            add(interface->source->counters(), counters);
        }
    }
    return counters;
}

std::size_t Interfaces::missing() const {
    return static_cast<std::size_t>(
        std::count_if(interfaces_.begin(), interfaces_.end(),
                      [](const auto& each) { return each->source == nullptr; }));
}

}  // namespace portcullis
