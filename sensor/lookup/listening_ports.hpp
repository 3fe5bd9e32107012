// ListeningPorts: on which TCP ports this host accepts connections.
//
// Asked of the kernel (sock_diag(7), LISTEN alone, so that a host with many connections answers as
// fast as one without) at most once a second. Single-threaded.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>

namespace portcullis::sensor_lookup {

class ListeningPorts {
  public:
    using Time = std::chrono::steady_clock::time_point;

    // As of a second ago at most. What cannot be asked counts as not listening.
    bool contains(std::uint16_t port, Time now);

  private:
    void refresh();

    std::bitset<65536> ports_;
    Time refreshed_;
};

}  // namespace portcullis::sensor_lookup
