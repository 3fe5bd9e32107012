// HoldLog: the kernel's reports of sources that it begins to hold (NFLOG). Single-threaded.
#pragma once

#include <memory>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

struct mnl_socket;

namespace portcullis::active_response {

class HoldLog {
  public:
    // Listens to `group`. Only one program of a network namespace can do so. Errors: "group-in-use"
    // (another program listens), "no-netlink".
    static base::Result<HoldLog> open(int group);
    int fd() const;  // readable when there are packets

    struct News {
        std::vector<base::IpAddress> sources;
        bool were_lost = false;  // the kernel dropped reports, since they were not read in time
    };
    // Reads the waiting packets, at most kMaxPerRead, since requests wait for that.
    News read_news() const;
    static constexpr int kMaxPerRead = 64;

  private:
    struct CloseSocket {
        void operator()(mnl_socket* socket) const;
    };
    explicit HoldLog(mnl_socket* socket) : socket_(socket) {}
    std::unique_ptr<mnl_socket, CloseSocket> socket_;
};

}  // namespace portcullis::active_response
