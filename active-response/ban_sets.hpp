// BanSets: the nftables table `inet portcullis` with its sets of banned addresses and networks.
//
//   set v4, v6                 hash sets whose elements have timeouts, by address
//   set v6_48, v6_56, v6_64    the same by the first bits of an IPv6 address, for networks
//   chain gate   hook prerouting, priority kChainPriority: drops by source address, nothing else
//
// No connection tracking: a `ct` match would switch it on for the whole host, and without it the
// offender's established connections stop too. Elements are changed by netlink messages on one
// socket, acknowledged by the kernel before a call returns; only the table itself is made by
// nft(8), since libnftables may not be linked (GPL-2). Single-threaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/fd.hpp"
#include "engine/base/ip_address.hpp"
#include "engine/base/result.hpp"

struct mnl_nlmsg_batch;
struct mnl_socket;

namespace portcullis::active_response {

// Before every chain that an administrator writes: raw is -300, so is the earliest in use. After
// defragmentation (-400), so that fragments are dropped whole.
inline constexpr int kChainPriority = -310;

// An element of the sets: a target, and how long it stays.
struct Held {
    base::Cidr target;
    std::optional<std::chrono::seconds> left;  // rounded up; nullopt = it has no end
};

// All targets are such as base::parse_ban_target() gives.
class BanSets {
  public:
    // Opens the netlink socket. Error "no-netlink".
    static base::Result<BanSets> open();

    // Makes the table unless it is there, and sets its chain afresh; elements stay.
    // Errors: "no-nft", "nft-failed".
    base::Result<void> ensure_table();

    // Puts `target` into its set for `timeout` (0 = until it is removed), also if it is there
    // already with another timeout. Makes the table if somebody removed it.
    // Error "not-blocked": the message says why and what helps.
    base::Result<void> add(const base::Cidr& target, std::chrono::seconds timeout);
    // The same for many at once, in few transactions: the kernel takes milliseconds for each,
    // however much it holds. False = some were not taken, and nobody knows which: ask for each.
    struct Change {
        base::Cidr target;
        std::optional<std::chrono::seconds> timeout;  // nullopt = is removed
    };
    bool apply(const std::vector<Change>& changes);
    // Takes `target` out of its set. That it is not there is no error. Error "not-unblocked".
    base::Result<void> remove(const base::Cidr& target);

    // The element of `target`; nullopt = its set does not hold it. Error "not-read".
    base::Result<std::optional<Held>> find(const base::Cidr& target);

    // Whether the chain has its rules: without them the sets block nobody.
    bool has_rules();

    // True once after add() found the table gone and made it anew: other elements are lost.
    bool take_table_was_lost();

  private:
    struct CloseSocket {
        void operator()(mnl_socket* socket) const;
    };
    explicit BanSets(mnl_socket* socket) : socket_(socket) {}
    enum class Step { Add, Remove };
    // Sends the changes as one transaction. 0 or an errno.
    int commit(const base::Cidr& target, const std::vector<Step>& steps,
               std::chrono::seconds timeout);
    int finish(mnl_nlmsg_batch* batch, std::uint32_t first);
    int add_or_replace(const base::Cidr& target, std::chrono::seconds timeout);

    std::unique_ptr<mnl_socket, CloseSocket> socket_;
    std::uint32_t sequence_ = 0;
    bool table_was_lost_ = false;
};

// Reads all that the sets hold, including elements that others put there. It reads in slices:
// hundreds of thousands of elements take a second, and a ban must not wait that long. Elements that
// are added or removed meanwhile may be missing or come twice.
class HeldWalk {
  public:
    // Error "no-netlink".
    static base::Result<HeldWalk> start();
    int fd() const;  // readable when there is a slice
    // Appends one slice to `held`; false = that was the last. Error "not-read".
    base::Result<bool> read_slice(std::vector<Held>& held);

  private:
    struct CloseSocket {
        void operator()(mnl_socket* socket) const;
    };
    explicit HeldWalk(mnl_socket* socket) : socket_(socket) {}
    // Asks for the current set. 0 or an errno.
    int ask();
    // The current set is over: asks for the next one; false = there is none.
    base::Result<bool> go_on();

    std::unique_ptr<mnl_socket, CloseSocket> socket_;
    std::uint32_t sequence_ = 0;
    std::size_t set_ = 0;  // index of the set that is read
    int restarts_ = 0;     // of this set, since it was changed meanwhile
    bool was_changed_ = false;
};

// Hears when somebody removes the table (`nft flush ruleset`).
class TableWatch {
  public:
    // Error "no-netlink".
    static base::Result<TableWatch> open();
    int fd() const;  // readable when there may be news
    struct News {
        bool was_removed = false;  // the table, a set or the chain
        // A rule, perhaps to be replaced; or news were lost. Ask BanSets::has_rules().
        bool rule_was_removed = false;
    };
    // Takes in all that there is.
    News read_news();

  private:
    struct CloseSocket {
        void operator()(mnl_socket* socket) const;
    };
    explicit TableWatch(mnl_socket* socket) : socket_(socket) {}
    std::unique_ptr<mnl_socket, CloseSocket> socket_;
};

}  // namespace portcullis::active_response
