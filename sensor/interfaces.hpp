// Interfaces: the network interfaces that a LiveSensor listens on. It reads them when frames wait,
// sets their kernel filters, follows changes of the host and opens an interface again when it comes
// back.
//
// An interface that disappears is logged once and counted. It is opened again as soon as the kernel
// reports it up, and is tried every few seconds; the interval grows as long as opening fails. One
// thread, that of the event loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/event_loop.hpp"
#include "sensor/capture/frame_source.hpp"
#include "sensor/capture/host.hpp"

namespace portcullis {

// An open interface. It is opened by the caller, so that this can be done as root and before
// fork().
struct OpenInterface {
    std::string name;
    std::unique_ptr<sensor_capture::FrameSource> source;
};

// Opens the named interfaces, or all usable ones. Interfaces that cannot be opened are left out and
// reported in `failures`.
std::vector<OpenInterface> open_interfaces(const std::vector<std::string>& names, bool promiscuous,
                                           std::vector<std::string>& failures);

class Interfaces {
  public:
    struct Settings {
        std::vector<std::string> names;  // empty = all usable ones
        bool is_promiscuous = false;
        sensor_capture::FilterSettings filter;  // but for addresses and VLANs
    };
    // Calls to the owner. All must stay valid as long as the object exists.
    struct Owner {
        sensor_capture::FrameSink& sink;
        std::function<void()> after_batch;            // lines that wait can be written
        std::function<void()> after_packets;          // nothing waits any more
        std::function<void(const std::string&)> say;  // a line of the log
        std::function<void()> on_addresses;           // own_addresses() has changed
    };

    Interfaces(base::EventLoop& loop, Settings settings, Owner owner,
               std::vector<OpenInterface> open);

    // The addresses of this host on all interfaces; sorted.
    const std::vector<base::IpAddress>& own_addresses() const { return own_addresses_; }

    // Reads all waiting frames.
    void drain();
    // Looks for changes of the host's interfaces and addresses. Call it now and then, since the
    // kernel may fail to report one, and every few seconds while missing() is not 0.
    void follow_host();
    // Listens on these interfaces from now on (empty = all usable ones): closes the others and
    // opens new ones.
    void listen_on(const std::vector<std::string>& names, bool is_promiscuous);
    // Sets which packets the kernel passes from now on.
    void set_filter(const sensor_capture::FilterSettings& filter);

    // The counters of all interfaces, including those that went down.
    sensor_capture::CaptureCounters counters() const;
    // How often an interface went down, and the number of interfaces that are missing now.
    std::uint64_t losses() const { return losses_; }
    std::size_t missing() const;

  private:
    struct Interface {
        std::string name;
        std::unique_ptr<sensor_capture::FrameSource> source;  // nullptr = not there
        base::EventLoop::Source watch = base::EventLoop::no_source();
        unsigned index = 0;       // of the kernel, when it was opened
        std::string device_type;  // when it was opened
        bool was_open = false;
        bool is_wanted = true;
        base::Timestamp retry_at;  // not before, unless the kernel reports a change
        std::chrono::seconds retry_delay{0};
    };

    Interface& obtain(const std::string& name);
    void attach(Interface& interface, std::unique_ptr<sensor_capture::FrameSource> source);
    void open_missing(bool is_news);
    void read(Interface& interface);
    void close(Interface& interface);
    void lose(Interface& interface);
    // Closes interfaces whose name now belongs to another device.
    void lose_vanished();
    void apply_filter(Interface& interface);
    void apply_filters();
    bool is_open_type(std::string_view device_type) const;
    void on_news();

    base::EventLoop& loop_;
    Settings settings_;
    Owner owner_;
    base::SystemClock clock_;
    std::vector<base::IpAddress> own_addresses_;
    std::vector<sensor_capture::VlanInterface> vlans_;
    std::vector<std::unique_ptr<Interface>> interfaces_;
    sensor_capture::CaptureCounters closed_;  // of interfaces that went down
    std::uint64_t losses_ = 0;
    sensor_capture::HostChanges changes_;
    base::EventLoop::Source changes_watch_ = base::EventLoop::no_source();
    base::EventLoop::Source news_timer_ = base::EventLoop::no_source();
    bool is_news_waiting_ = false;
};

}  // namespace portcullis
