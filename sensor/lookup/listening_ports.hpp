// ListeningPorts: the TCP ports on which this host accepts connections.
//
// It queries the kernel at most once a second (sock_diag(7), only LISTEN, so that many connections
// do not make it slow). Single-threaded.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>

namespace portcullis::sensor_lookup {

class ListeningPorts {
  public:
    using Time = std::chrono::steady_clock::time_point;

    // True if the port is open, at most a second ago. False if the kernel cannot be queried.
    bool contains(std::uint16_t port, Time now);

  private:
    void refresh();

    std::bitset<65536> ports_;
    Time refreshed_;
};

}  // namespace portcullis::sensor_lookup
