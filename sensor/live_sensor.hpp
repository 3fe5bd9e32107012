// LiveSensor: runs a Sensor on network interfaces. It wakes up for packets, overdue probes,
// expiring scans, answers of name servers and identds, signals, and every few seconds to follow
// interfaces and addresses.
//
// One thread, one event loop. The interfaces are in Interfaces.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.hpp"
#include "sensor/capture/return_path.hpp"
#include "sensor/fingerprint/nmap_fooler.hpp"
#include "sensor/interfaces.hpp"
#include "sensor/lookup/ident_client.hpp"
#include "sensor/lookup/name_resolver.hpp"
#include "sensor/pipeline/sensor.hpp"

namespace portcullis {

// Judges return paths by the routing table of this host.
class HostReturnPath final : public sensor_detect::ReturnPathJudge {
  public:
    sensor_detect::ReturnPath judge(const base::IpAddress& source,
                                    const base::IpAddress& destination,
                                    std::uint32_t interface) override;

  private:
    sensor_capture::ReturnPaths paths_;
    base::SystemClock clock_;
};

class LiveSensor {
  public:
    struct Options {
        Interfaces::Settings interfaces;
        bool ends_on_interrupt = true;  // SIGINT, in the foreground
        // Reads configuration and names again at SIGHUP. nullopt = keep the old ones.
        std::function<std::optional<sensor_config::SensorSettings>()> reload;
        // The name servers, as read last.
        std::function<std::vector<base::IpAddress>()> nameservers;
        // Called at the start, every few seconds and at the end.
        std::function<void(const sensor_pipeline::SensorCounters&)> report_counters;
        std::unique_ptr<sensor_fingerprint::NmapFooler> fooler;  // opened while root, or nullptr
    };

    // `sensor` must outlive the object. `settings`: the current settings of the sensor.
    LiveSensor(sensor_pipeline::Sensor& sensor, const sensor_config::SensorSettings& settings,
               Options options, std::vector<OpenInterface> open);
    ~LiveSensor();
    LiveSensor(const LiveSensor&) = delete;
    LiveSensor& operator=(const LiveSensor&) = delete;

    // Runs until a signal ends it; returns the exit code.
    int run();

  private:
    // Switches look-ups of names and users, and the answers to nmap, on or off as the settings say.
    void set_up_lookups(const sensor_config::SensorSettings& settings);
    void set_up_fooler(bool is_wanted);
    // Work that can wait until the waiting packets are processed.
    void after_packets();
    // The counters of the sensor, of the capture and of the look-ups.
    sensor_pipeline::SensorCounters counters();
    void say(const std::string& text);
    void on_time();
    // Sets the timer if something is due before it expires.
    void arm_timer();
    // Follows the host's addresses and the interfaces, and reports the counters.
    void end(int signal);
    void restart();

    sensor_pipeline::Sensor& sensor_;
    Options options_;
    base::SystemClock clock_;
    base::EventLoop loop_;
    std::optional<base::Timestamp> armed_for_;
    base::EventLoop::Source timer_ = base::EventLoop::no_source();
    std::vector<base::EventLoop::Source> sources_;
    std::unique_ptr<sensor_lookup::NameResolver> resolver_;
    std::unique_ptr<sensor_lookup::IdentClient> ident_;
    Interfaces interfaces_;
    HostReturnPath return_path_;
};

// The packets that the kernel passes; without the addresses, which Interfaces adds.
sensor_capture::FilterSettings filter_settings(const sensor_config::SensorSettings& settings);

}  // namespace portcullis
