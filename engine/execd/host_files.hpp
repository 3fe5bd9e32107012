// Readers of the files that name nameservers and DHCP servers, one for each format, and HostFiles,
// which follows these files.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "engine/execd/file_signature.hpp"

namespace portcullis::execd {

// resolv.conf(5): the addresses of its "nameserver" lines, a zone ("%eth0") left out.
std::vector<base::IpAddress> nameservers_in_resolv_conf(std::string_view text);
// dhclient(8): "option dhcp-server-identifier ADDRESS;".
std::vector<base::IpAddress> servers_in_dhclient_leases(std::string_view text);
// systemd-networkd and NetworkManager: SERVER_ADDRESS=, ROUTER= and DNS= lines.
std::vector<base::IpAddress> servers_in_key_value_lease(std::string_view text);
// dhcpcd(8): the DHCP message itself (RFC 2131), option 54.
std::vector<base::IpAddress> servers_in_dhcp_message(std::string_view bytes);

// HostFiles: the addresses in all these files. A file is read again when its FileSignature changes.
// Single-threaded.
class HostFiles {
  public:
    // `root` precedes every path; "" = the host's own.
    explicit HostFiles(std::string root);

    // Reads the files that have changed. Returns whether an address may have changed. Costs one
    // stat(2) for each file.
    bool refresh();

    // Returns "nameserver (/etc/resolv.conf)" or the like; empty = no file names an address of
    // `target`.
    std::string meaning_of(const base::Cidr& target) const;
    // All addresses, with the same texts.
    const std::map<base::IpAddress, std::string>& all() const { return meanings_; }

  private:
    std::vector<std::pair<std::string, std::size_t>> existing_files() const;

    std::string root_;
    std::map<std::string, FileSignature> signatures_;
    std::map<base::IpAddress, std::string> meanings_;
};

}  // namespace portcullis::execd
