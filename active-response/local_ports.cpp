#include "active-response/local_ports.hpp"

#include <charconv>

#include "active-response/table_form.hpp"
#include "base/fd.hpp"

namespace portcullis::active_response {

std::uint16_t first_local_port() {
    const auto text = base::read_file("/proc/sys/net/ipv4/ip_local_port_range", 100);
    std::uint16_t port = 0;
    if (text) {
        std::from_chars(text->data(), text->data() + text->size(), port);
    }
    return port == 0 ? kUsualFirstLocalPort : port;
}

}  // namespace portcullis::active_response
