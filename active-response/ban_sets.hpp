// BanSets: the banned addresses and networks in the table `inet portcullis` (table_form.hpp).
//
// A block counts as done when the kernel has acknowledged its transaction. The transaction names
// the generation of the ruleset whose table was compared with the required form. If another process
// has changed the ruleset since, the kernel refuses the transaction, and the table is read again.
// So each block is verified, and costs one round trip.
//
// TableWatch reports changes by others, and check() finds the rest. The form and the elements of
// this process are then restored. Single-threaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "active-response/blocked.hpp"
#include "active-response/held_walk.hpp"
#include "active-response/nf_netlink.hpp"
#include "active-response/table_form.hpp"
#include "active-response/table_watch.hpp"

namespace portcullis::active_response {

// All targets come from base::parse_ban_target().
class BanSets {
  public:
    // Time between two calls of check(): a change without a report is undone within 10 s.
    static constexpr std::chrono::seconds kCheckInterval{9};

    enum class Follow { No, Yes };
    // Opens the netlink sockets. Follow::Yes: changes by others are undone. Error "no-netlink".
    static base::Result<BanSets> open(Follow follow);

    // Makes the table, or repairs it. Elements stay. Error "not-made".
    base::Result<void> ensure_table();

    // Puts the target into its set, in one transaction. If it is in the set with another timeout,
    // or in the set of the other kind of block, it is moved. Error "not-blocked": the message says
    // why and what helps.
    base::Result<void> add(const Element& element);
    // Carries out many changes in few transactions, since each takes milliseconds. Returns false if
    // some were refused. It is not known which: repeat them one by one.
    struct Change {
        Element element;
        bool is_removal = false;  // of both kinds of block
    };
    bool apply(const std::vector<Change>& changes);
    // Removes the target from the sets. Succeeds if it is not there. Makes no table. Error
    // "not-unblocked".
    base::Result<void> remove(const base::Cidr& target);

    // Returns the elements of `target`: none, one, or one of each kind. Error "not-read".
    base::Result<std::vector<Held>> find(const base::Cidr& target);

    // Descriptors to wait for; -1 = none. Call keep_up() when one is readable.
    int news_fd() const { return watch_ ? watch_->fd() : -1; }
    int inventory_fd() const { return inventory_ ? inventory_->walk.fd() : -1; }
    void keep_up();
    // Finds changes without a report. Call it each kCheckInterval.
    void check();
    // When the next repair is due, if repairs are too frequent; nullopt = no repair waits.
    std::optional<std::chrono::steady_clock::time_point> restore_due() const {
        return restore_due_;
    }

    // Returns the repairs since the last call, a sentence for each.
    std::vector<std::string> take_restored() { return std::exchange(restored_, {}); }

  private:
    // Compares the elements of the kernel with those of this process.
    struct Inventory {
        HeldWalk walk;
        std::map<std::pair<base::IpAddress, int>, Element> missing;
        int rounds = 1;
    };

    BanSets(NfSocket socket, std::optional<TableWatch> watch)
        : socket_(std::move(socket)), watch_(std::move(watch)) {}
    // Carries out a transaction on a table of the verified form, which it makes if need be. `fill`
    // is called for each attempt. Returns 0 or an errno.
    int commit(const std::function<void(Transaction&)>& fill);
    // Repairs the form of the table. Returns 0 or an errno; `problem_` is then the reason.
    int put_in_order();
    int change_form(const TableForm::Reading& reading, const TableForm& due);
    // Adds the messages that make the missing `sets` to `transaction`.
    void add_sets(const std::set<SetId>& sets, Transaction& transaction) const;
    bool has(const SetId& set) const { return sets_.count(set) != 0; }
    // Whether the set of this kind of block may hold the target. Asks the kernel if need be.
    bool may_hold(const base::Cidr& target, base::BlockKind block);
    bool holds(const base::Cidr& target, base::BlockKind block);
    int find_in(const base::Cidr& target, base::BlockKind block, std::vector<Held>& held);
    void take_news();
    void restore();
    void put_back_touched();
    void start_inventory();
    void go_on_with_inventory();
    // Whether a repair may begin now; otherwise `restore_due_` says when.
    bool take_turn();
    void report(std::string sentence);
    std::string actor() const { return actor_.empty() ? "another process" : actor_; }

    NfSocket socket_;
    std::optional<TableWatch> watch_;
    Blocked blocked_;
    std::uint16_t first_local_port_ = kUsualFirstLocalPort;
    bool is_table_due_ = false;                // the table was made, or will be
    std::optional<std::uint32_t> generation_;  // of the ruleset whose form is verified
    std::set<SetId> sets_;                     // of the table, when it was last read
    bool others_may_block_ = true;             // the sets may hold elements of others
    std::string problem_;
    std::string reported_problem_;

    std::set<std::pair<base::IpAddress, int>> touched_;  // blocked by us, and changed by others
    bool is_inventory_due_ = false;
    std::optional<Inventory> inventory_;
    std::string actor_;
    std::vector<std::string> restored_;
    double turns_ = 20;  // repairs that may begin now
    std::chrono::steady_clock::time_point turns_at_ = std::chrono::steady_clock::now();
    bool is_fight_ = false;  // another process undoes the repairs, so reports stop
    std::chrono::steady_clock::time_point next_fight_report_;
    std::optional<std::chrono::steady_clock::time_point> restore_due_;
};

}  // namespace portcullis::active_response
