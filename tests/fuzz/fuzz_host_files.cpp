// Lease files, resolv.conf and the kernel's text of sockets: any bytes are read without harm.
#include <cstdint>
#include <string_view>

#include "engine/execd/host_files.hpp"
#include "engine/execd/ssh_sessions.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace portcullis::execd;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    nameservers_in_resolv_conf(bytes);
    servers_in_dhclient_leases(bytes);
    servers_in_key_value_lease(bytes);
    servers_in_dhcp_message(bytes);
    established_sockets_in(bytes, {});
    is_authenticated_title(bytes);
    return 0;
}
