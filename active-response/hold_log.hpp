// HoldLog: the kernel's word on which source it has just begun to hold (NFLOG). Single-threaded.
#pragma once

#include <memory>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

struct mnl_socket;

namespace portcullis::active_response {

class HoldLog {
  public:
    // Listens to `group`, as the only one of this network namespace. Errors: "group-in-use"
    // (another program listens to it), "no-netlink".
    static base::Result<HoldLog> open(int group);
    int fd() const;  // readable when there are packets

    struct News {
        std::vector<base::IpAddress> sources;
        bool were_lost = false;  // the kernel had more than this was quick enough to read
    };
    // Takes in what there is, but not more than kMaxPerRead packets: requests wait meanwhile.
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
