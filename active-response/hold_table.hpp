// HoldTable: the table `inet portcullis_hold` in the kernel: reads its form and the held sources,
// and ends holds. nft(8) makes the table (hold_script.hpp). Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "active-response/nf_netlink.hpp"
#include "active-response/table_form.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"

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
    // Ends the hold of `target`. Succeeds if it is not held. Error "not-unblocked".
    base::Result<void> release(const base::Cidr& target);

    // Number of pairs of source and port that are remembered. For the trial.
    std::size_t pair_count();

    // Returns the generation of the whole ruleset, which each change increases. Error "not-read".
    base::Result<std::uint32_t> generation() { return generation_of(socket_); }

  private:
    explicit HoldTable(NfSocket socket) : socket_(std::move(socket)) {}
    // Calls `take` for each message of a dump. 0 or an errno.
    int dump(int type, const Attributes& attributes,
             const std::function<void(const nlmsghdr&)>& take);

    NfSocket socket_;
};

// Notices changes of the table and of its lists.
class HoldWatch {
  public:
    // Error "no-netlink".
    static base::Result<HoldWatch> open();
    int fd() const { return socket_.fd(); }  // readable when there may be news
    // Reads all waiting notices. Returns whether there was a change, maybe by this process.
    bool read_news();

  private:
    explicit HoldWatch(NfSocket socket) : socket_(std::move(socket)) {}

    NfSocket socket_;
};

}  // namespace portcullis::active_response
