// HoldTable: the table `inet portcullis_hold` in the kernel: reads what it is made of and which
// sources it holds, and ends holds. Making it is nft's part (hold_script.hpp). Single-threaded.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "active-response/table_form.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"

struct mnl_socket;
struct nlmsghdr;

namespace portcullis::active_response {

class HoldTable {
  public:
    // Error "no-netlink".
    static base::Result<HoldTable> open();

    // What the table is made of, as text that is equal for equal tables: its flags, sets, chains
    // and rules without handles and counters; no elements. Empty = there is no table.
    base::Result<std::string> form();
    // The same of its lists: the elements of the sets of spared addresses and on-link networks.
    base::Result<std::string> lists();

    // The sources that are held now: addresses, and networks of `ipv6_prefix` bits.
    base::Result<std::vector<Held>> held(int ipv6_prefix);
    // Ends the hold of `target`. An address that is not held is not an error. Error
    // "not-unblocked".
    base::Result<void> release(const base::Cidr& target);

    // Number of pairs of source and port that are remembered. For the trial.
    std::size_t pair_count();

  private:
    struct CloseSocket {
        void operator()(mnl_socket* socket) const;
    };
    explicit HoldTable(mnl_socket* socket) : socket_(socket) {}
    // Sends a question of `type` about `set` (nullptr = the whole table) and calls
    // `take(const nlmsghdr*)` for each message of the answer. 0 or an errno.
    template <typename Take>
    int ask(int type, const char* set, Take take);
    template <typename Take>
    int read_answer(Take take);
    // 0 = `target` is held; else an errno, ENOENT = it is not.
    int find(const base::Cidr& target);

    std::unique_ptr<mnl_socket, CloseSocket> socket_;
    std::uint32_t sequence_ = 0;
};

// Notices that somebody changes the table or what is in its lists.
class HoldWatch {
  public:
    // Error "no-netlink".
    static base::Result<HoldWatch> open();
    int fd() const;  // readable when there may be news
    // Takes in all that there is; true = something was changed, perhaps by ourselves.
    bool read_news();

  private:
    struct CloseSocket {
        void operator()(mnl_socket* socket) const;
    };
    explicit HoldWatch(mnl_socket* socket) : socket_(socket) {}
    std::unique_ptr<mnl_socket, CloseSocket> socket_;
};

}  // namespace portcullis::active_response
