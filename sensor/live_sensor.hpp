// LiveSensor: a Sensor on network interfaces: wakes up for each packet, for overdue probes and
// expiring scans, for signals, and every few seconds to follow interfaces and addresses.
//
// One thread, one event loop. Interfaces that vanish are reported and tried again.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/event_loop.hpp"
#include "sensor/sensor.hpp"

namespace portcullis {

// An open interface, handed over by the opener so that it can happen before fork() and while root.
struct OpenInterface {
    std::string name;
    std::unique_ptr<sensor_capture::FrameSource> source;
};

class LiveSensor {
  public:
    struct Options {
        std::vector<std::string> interfaces;  // empty = all that are up, but loopback
        bool is_promiscuous = false;
        sensor_capture::FilterSettings filter;  // but for the addresses
        bool ends_on_interrupt = true;          // SIGINT, in the foreground
        // Reads the configuration again, at SIGHUP; nullopt = keep the old one.
        std::function<std::optional<sensor_config::SensorSettings>()> reload;
        // Called at the start, every few seconds and at the end.
        std::function<void()> report_counters;
    };

    // `sensor` must outlive it.
    LiveSensor(Sensor& sensor, Options options, std::vector<OpenInterface> open);

    // Runs until a signal ends it; returns the exit code.
    int run();

  private:
    struct Interface {
        std::string name;
        std::unique_ptr<sensor_capture::FrameSource> source;  // nullptr = it went down
        base::EventLoop::Source watch = base::EventLoop::no_source();
    };

    void watch(Interface& interface);
    // Tells the kernel which frames are wanted from it.
    void set_filter(Interface& interface);
    // Reads what waits on one interface.
    void drain(Interface& interface);
    void drain_all();
    void on_time();
    // Sets the timer if something is due before it.
    void arm_timer();
    // Follows the host's addresses and the interfaces.
    void follow_host();
    void end(int signal);
    void restart();

    Sensor& sensor_;
    Options options_;
    base::SystemClock clock_;
    base::EventLoop loop_;
    std::vector<base::IpAddress> own_addresses_;  // of all interfaces
    std::vector<std::unique_ptr<Interface>> interfaces_;
    std::optional<base::Timestamp> armed_for_;
    base::EventLoop::Source timer_ = base::EventLoop::no_source();
    std::vector<base::EventLoop::Source> sources_;
};

// What the kernel is to let through, but for the addresses.
sensor_capture::FilterSettings filter_settings(const sensor_config::SensorSettings& settings);

// Opens the named interfaces, or all usable ones. What cannot be opened is left out and named in
// `failures`.
std::vector<OpenInterface> open_interfaces(const std::vector<std::string>& names, bool promiscuous,
                                           std::vector<std::string>& failures);

}  // namespace portcullis
