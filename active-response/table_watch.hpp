// TableWatch: notices changes by other processes in the table `inet portcullis`. Single-threaded.
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
    // Ignores changes made through the socket with the netlink port `own_port`.
    // Error "no-netlink".
    static base::Result<TableWatch> open(std::uint32_t own_port);
    int fd() const { return socket_.fd(); }  // readable when there may be news

    struct News {
        bool form_was_touched = false;            // the table, a set, a chain or a rule
        bool set_was_removed = false;             // with its elements
        std::vector<Held> removed;                // elements
        std::vector<Held> added;                  // new or changed elements
        bool were_lost = false;                   // the kernel dropped notices
        std::optional<std::uint32_t> generation;  // of the ruleset, by its last change
        std::string actor;  // process that changed our table: "nft (process 123)"
    };
    // Reads all waiting notices.
    News read_news();

  private:
    explicit TableWatch(NfSocket socket) : socket_(std::move(socket)) {}
    void take(const nlmsghdr& header, News& news);

    NfSocket socket_;
    bool was_touched_ = false;  // by a transaction whose end was not read yet
};

}  // namespace portcullis::active_response
