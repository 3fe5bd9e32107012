// Host: which interfaces and addresses this machine has, and when that changes.
//
// Asked by LiveSensor. Plain functions and a netlink socket, which needs no privilege.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/ip_address.hpp"

namespace portcullis::sensor_capture {

// All interfaces that are up; without loopback, and without those that are part of a bridge or
// bond, as that shows the same frames.
std::vector<std::string> usable_interfaces();

bool is_up(const std::string& interface);

// The addresses of this host, on all interfaces; sorted.
std::vector<base::IpAddress> host_addresses();

// An interface that stands for a VLAN of another one, where the frames are seen with the tag.
struct VlanInterface {
    std::string name;
    std::uint16_t vlan = 0;
    std::string parent;
    bool operator==(const VlanInterface&) const = default;
};
std::vector<VlanInterface> vlan_interfaces();
// Reads the text of /proc/net/vlan/config: two lines of heading, then "eth0.7 | 7 | eth0".
std::vector<VlanInterface> parse_vlan_interfaces(std::string_view text);

// What the kernel calls the kind of an interface, such as "ppp", "macsec", "vlan", "bridge"; empty
// for plain ones and those that are not there.
std::string device_type(const std::string& interface);
// Reads the text of /sys/class/net/IF/uevent: lines NAME=VALUE, one of them DEVTYPE.
std::string parse_device_type(std::string_view text);

// Tells that links or addresses have changed, not how.
class HostChanges {
  public:
    // Without a socket (fd() is -1) if the kernel has no netlink for us.
    HostChanges();
    // Readable when there is news.
    int fd() const { return fd_.get(); }
    // Throws the news away.
    void drain();

  private:
    base::UniqueFd fd_;
};

}  // namespace portcullis::sensor_capture
