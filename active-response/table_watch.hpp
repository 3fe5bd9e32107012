// TableWatch: hears what other processes change in the table `inet portcullis`. Single-threaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "active-response/nf_netlink.hpp"
#include "active-response/table_form.hpp"

namespace portcullis::active_response {

class TableWatch {
  public:
    // Changes made through the socket with the netlink port `own_port` are not heard.
    // Error "no-netlink".
    static base::Result<TableWatch> open(std::uint32_t own_port);
    int fd() const { return socket_.fd(); }  // readable when there may be news

    struct News {
        bool form_was_touched = false;            // the table, a set, a chain or a rule
        bool set_was_removed = false;             // with its elements
        std::vector<Held> removed;                // elements
        std::vector<Held> added;                  // elements, or changed ones
        bool were_lost = false;                   // the kernel could not keep them all
        std::optional<std::uint32_t> generation;  // of the ruleset, by its last change
        std::string actor;                        // who changed our table: "nft (process 123)"
    };
    // Takes in all that there is.
    News read_news();

  private:
    explicit TableWatch(NfSocket socket) : socket_(std::move(socket)) {}
    void take(const nlmsghdr& header, News& news);

    NfSocket socket_;
    bool was_touched_ = false;  // by the transaction whose end is not here yet
};

}  // namespace portcullis::active_response
