// ServicesFile and HostsFile: the services(5) and hosts(5) databases, read once from their files.
//
// They never use the network: a name must not delay a detection. Lines that cannot be parsed are
// skipped. Immutable after loading, so safe to share.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ip_address.hpp"
#include "sensor/detect/observation.hpp"

namespace portcullis::sensor_report {

enum class Protocol : std::uint8_t { Tcp, Udp };

class ServicesFile {
  public:
    // The text of /etc/services: "name port/protocol alias… # comment".
    static ServicesFile parse(std::string_view text);

    // The primary name of a port; empty = it has none.
    std::string_view name_of(Protocol protocol, std::uint16_t port) const;
    // The port of a name or alias, as spelt in the file.
    std::optional<std::uint16_t> find_port(Protocol protocol, std::string_view name) const;

  private:
    std::unordered_map<std::uint32_t, std::string> names_;
    std::array<std::map<std::string, std::uint16_t, std::less<>>, 2> ports_;
};

class HostsFile {
  public:
    // The text of /etc/hosts: "address name alias… # comment". The first name of an address counts.
    static HostsFile parse(std::string_view text);

    // Empty = it has none.
    std::string_view name_of(const base::IpAddress& address) const;
    // All addresses of a name or alias, as spelt in the file; empty = it has none.
    std::vector<base::IpAddress> addresses_of(std::string_view name) const;

  private:
    std::unordered_map<base::IpAddress, std::string, base::IpAddressHash> names_;
    std::map<std::string, std::vector<base::IpAddress>, std::less<>> addresses_;
};

// Seam: names from the network (sensor/lookup). It never waits: an unknown name is queried, so that
// a later line may have it.
class HostLookup {
  public:
    virtual ~HostLookup() = default;
    // The name of an address; empty = not known now. Valid until the next call.
    virtual std::string_view name_of(const base::IpAddress& address) = 0;
};

// Seam: the user at the other end of a connection (sensor/lookup).
class IdentLookup {
  public:
    virtual ~IdentLookup() = default;
    // Returns true if the peer is asked: the attempt comes back through Reporter::report_attempt(),
    // with or without the user. False = the peer is not asked.
    virtual bool ask(const sensor_detect::Observation& attempt) = 0;
};

// The addresses behind `nameserver` in the text of /etc/resolv.conf; a name is looked up in
// `hosts`.
std::vector<base::IpAddress> parse_nameservers(std::string_view text, const HostsFile& hosts);

}  // namespace portcullis::sensor_report
