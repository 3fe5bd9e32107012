// BanSets: the banned addresses and networks in the table `inet portcullis` (table_form.hpp).
//
// A block counts as done when the kernel has acknowledged a transaction that it carries out only if
// the ruleset is still of the generation whose table was compared with the due form. Whatever
// another process changes in between, the transaction is refused, and the table looked at again.
// So each block is verified, and costs one round trip.
//
// Changes by others are heard of (TableWatch), or found by check(): the form and the elements of
// this process are put back. Single-threaded.
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

// All targets are such as base::parse_ban_target() gives.
class BanSets {
  public:
    // How often check() is to be called: what nobody was told of is put back within 10 s.
    static constexpr std::chrono::seconds kCheckInterval{9};

    enum class Follow { No, Yes };
    // Opens the netlink sockets. Follow::Yes: changes by others are put back. Error "no-netlink".
    static base::Result<BanSets> open(Follow follow);

    // Makes the table, or puts it in order; elements stay. Error "not-made".
    base::Result<void> ensure_table();

    // Puts the target into its set, also if it is there already with another timeout, or in the set
    // of the other kind of block: then it moves, in one transaction.
    // Error "not-blocked": the message says why and what helps.
    base::Result<void> add(const Element& element);
    // The same for many at once, in few transactions: the kernel takes milliseconds for each,
    // however much it holds. False = some were not taken, and nobody knows which: ask for each.
    struct Change {
        Element element;
        bool is_removal = false;  // of both kinds of block
    };
    bool apply(const std::vector<Change>& changes);
    // Takes the target out of the sets. That it is not there is no error. Makes no table.
    // Error "not-unblocked".
    base::Result<void> remove(const base::Cidr& target);

    // The elements of `target`: none, one, or one of each kind. Error "not-read".
    base::Result<std::vector<Held>> find(const base::Cidr& target);

    // Descriptors to wait for; -1 = none. When one is readable: keep_up().
    int news_fd() const { return watch_ ? watch_->fd() : -1; }
    int inventory_fd() const { return inventory_ ? inventory_->walk.fd() : -1; }
    void keep_up();
    // Looks whether anything changed unheard. Call it each kCheckInterval.
    void check();
    // When what is being put back too often is put back next; nullopt = nothing waits.
    std::optional<std::chrono::steady_clock::time_point> restore_due() const {
        return restore_due_;
    }

    // What was put back or put in order since the last call, a sentence each.
    std::vector<std::string> take_restored() { return std::exchange(restored_, {}); }

  private:
    // Compares what the kernel holds with what this process put there.
    struct Inventory {
        HeldWalk walk;
        std::map<std::pair<base::IpAddress, int>, Element> missing;
        int rounds = 1;
    };

    BanSets(NfSocket socket, std::optional<TableWatch> watch)
        : socket_(std::move(socket)), watch_(std::move(watch)) {}
    // Carries out a transaction on top of the verified form, which it makes if need be. `fill` is
    // called for each attempt. 0 or an errno.
    int commit(const std::function<void(Transaction&)>& fill);
    // Makes the form the due one unless it is. 0 or an errno; `problem_` says what went wrong.
    int put_in_order();
    int change_form(const TableForm::Reading& reading, const TableForm& due);
    // Adds to `transaction` what makes `sets` beside those that are there.
    void add_sets(const std::set<SetId>& sets, Transaction& transaction) const;
    bool has(const SetId& set) const { return sets_.count(set) != 0; }
    // Whether the set of this kind of block may hold the target: by what we know, or by asking.
    bool may_hold(const base::Cidr& target, base::BlockKind block);
    bool holds(const base::Cidr& target, base::BlockKind block);
    int find_in(const base::Cidr& target, base::BlockKind block, std::vector<Held>& held);
    void take_news();
    void restore();
    void put_back_touched();
    void start_inventory();
    void go_on_with_inventory();
    // Whether it may put back now; else `restore_due_` says when.
    bool take_turn();
    void report(std::string sentence);
    std::string actor() const { return actor_.empty() ? "another process" : actor_; }

    NfSocket socket_;
    std::optional<TableWatch> watch_;
    Blocked blocked_;
    std::uint16_t first_local_port_ = kUsualFirstLocalPort;
    bool is_table_due_ = false;                // it was made, or is to be
    std::optional<std::uint32_t> generation_;  // of the ruleset whose form is verified
    std::set<SetId> sets_;                     // of the table, when it was last looked at
    bool others_may_block_ = true;             // elements that we do not know of may be there
    std::string problem_;
    std::string reported_problem_;

    std::set<std::pair<base::IpAddress, int>> touched_;  // blocked by us, and changed by others
    bool is_inventory_due_ = false;
    std::optional<Inventory> inventory_;
    std::string actor_;
    std::vector<std::string> restored_;
    double turns_ = 20;  // that may be taken now
    std::chrono::steady_clock::time_point turns_at_ = std::chrono::steady_clock::now();
    bool is_fight_ = false;  // so reports stop
    std::chrono::steady_clock::time_point next_fight_report_;
    std::optional<std::chrono::steady_clock::time_point> restore_due_;
};

}  // namespace portcullis::active_response
