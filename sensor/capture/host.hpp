// Host: the interfaces and addresses of this machine, and notices of their changes.
//
// Used by LiveSensor. Plain functions and a netlink socket, which needs no privilege.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/ip_address.hpp"

namespace portcullis::sensor_capture {

// All interfaces that are up, except loopback and the members of a bridge or bond, which shows the
// same frames.
std::vector<std::string> usable_interfaces();

bool is_up(const std::string& interface);

// The addresses of this host, on all interfaces; sorted.
std::vector<base::IpAddress> host_addresses();

// The interface of a VLAN. The frames appear on its parent interface as well, with the tag.
struct VlanInterface {
    std::string name;
    std::uint16_t vlan = 0;
    std::string parent;
    bool operator==(const VlanInterface&) const = default;
};
std::vector<VlanInterface> vlan_interfaces();
// Reads the text of /proc/net/vlan/config: two lines of heading, then "eth0.7 | 7 | eth0".
std::vector<VlanInterface> parse_vlan_interfaces(std::string_view text);

// The kernel's name for the kind of an interface, such as "ppp", "macsec", "vlan", "bridge"; empty
// for a plain interface and for one that does not exist.
std::string device_type(const std::string& interface);
// Reads the text of /sys/class/net/IF/uevent: lines NAME=VALUE, one of them DEVTYPE.
std::string parse_device_type(std::string_view text);

// Notices that links or addresses have changed, without details.
class HostChanges {
  public:
    // Has no socket (fd() is -1) if the kernel refuses netlink.
    HostChanges();
    // Readable after a change.
    int fd() const { return fd_.get(); }
    // Discards the notices.
    void drain();

  private:
    base::UniqueFd fd_;
};

}  // namespace portcullis::sensor_capture
