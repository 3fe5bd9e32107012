// BanTable: the bans of a home, what execd is doing about each of them, and when each is due.
//
// State without policy: it runs no command and writes no file. Bounded by <max_bans>, which
// BanPolicy enforces. Single-threaded; time is a parameter. Invariants:
// - first_due() finds every entry whose `due` is not kNever;
// - jobs are numbered, and only the result of the last job of a ban decides about that ban.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "engine/execd/ban.hpp"
#include "engine/execd/runner.hpp"

namespace portcullis::execd {

// Returns `ban` with its times moved by `by`, as after a step of the clock.
Ban moved(Ban ban, std::chrono::nanoseconds by);

enum class BanState {
    Kept,        // no job of it is under way
    Adding,      // an `add` that a request asked for is under way
    Renewing,    // an `add` of execd's own accord is under way
    Undoing,     // a `delete` is under way
    UndoFailed,  // the `delete` failed and will be repeated
};

// What the kernel holds for a persistent command, as far as the answers of its responder show.
struct KnownEffect {
    // The ban that remains if the request under way fails. nullopt = none, or it was undone.
    std::optional<Ban> ban;
    // The kernel may hold another end than `ban`, or nothing: an answer was lost, or the responder
    // has not been asked yet.
    bool is_uncertain = false;
    // Number of the job that `ban` is the result of. Responders may answer in any order; an older
    // result says nothing about what the kernel holds now.
    std::uint64_t job = 0;
};

struct BanEntry {
    Ban ban;  // as the list shows it and the journal holds it
    BanState state = BanState::Kept;
    KnownEffect effect;
    std::uint64_t last_job = 0;
    // Requests that came while a persistent responder had not answered yet. One further `add`
    // follows for all of them.
    int joined = 0;
    int failed_attempts = 0;  // in a row, of an undo or a renewal
    std::string undo_reason;
    // Reason of an undo that a new ban interrupted. The undo is resumed if that ban fails.
    std::optional<std::string> interrupted_undo;
    base::Timestamp due = kNever;            // set by BanTable alone
    base::Timestamp applied_until = kNever;  // the timeout that a script was last given

    bool is_being_undone() const {
        return state == BanState::Undoing || state == BanState::UndoFailed;
    }
    // A hard ban that is over, while forgeable packets in the name of its address went on.
    bool is_followed_by_soft_block(base::Timestamp now) const;
    // Updates `effect` by the answer to the job number `job`. `asked`: the ban of an `add`;
    // nullopt = the job was a `delete`. An answer to an older job than the known one is ignored.
    void note_answer(std::uint64_t job, const std::optional<Ban>& asked, const JobResult& result);
};

enum class BanFilter {
    All,
    Kept,  // without those that are being undone
};

class BanTable {
  public:
    using Entries = std::map<BanKey, BanEntry>;
    using Iterator = Entries::iterator;
    using ConstIterator = Entries::const_iterator;

    // Bans that an earlier execd made: their effect is uncertain, and each is due at its end.
    explicit BanTable(const std::map<BanKey, Ban>& bans);

    std::size_t size() const { return entries_.size(); }
    bool empty() const { return entries_.empty(); }
    Iterator begin() { return entries_.begin(); }
    Iterator end() { return entries_.end(); }
    ConstIterator begin() const { return entries_.begin(); }
    ConstIterator end() const { return entries_.end(); }
    // Iterators and references stay valid until their own entry is erased.
    Iterator find(const BanKey& key) { return entries_.find(key); }
    ConstIterator find(const BanKey& key) const { return entries_.find(key); }
    // The first entry behind `key`, in the order of keys.
    ConstIterator upper_bound(const BanKey& key) const { return entries_.upper_bound(key); }
    BanEntry& find_or_add(const BanKey& key);
    void erase(Iterator it);

    // Returns the number of a new job of `entry`, whose state becomes `state`.
    std::uint64_t begin_job(BanEntry& entry, BanState state);

    void set_due(BanEntry& entry, base::Timestamp due);
    // nullopt = nothing is due at any time.
    std::optional<base::Timestamp> next_due() const;
    // The entry that has been due for the longest time; end() = none is due at `now`.
    Iterator first_due(base::Timestamp now);

    // The wall clock was set by `by`: every ban keeps the time that it has left.
    void clock_jumped(std::chrono::nanoseconds by);
    // Sum of all jumps. A job that began earlier moves its times by the difference.
    std::chrono::nanoseconds clock_steps() const { return clock_steps_; }

    // Whether a ban of this responder, other than a dry one, blocks `address`.
    bool has_ban(const std::string& executable, const std::string& address, BanFilter filter) const;
    // The same for any responder: firewall-drop.sh fills the sets of firewall-drop.
    bool is_explained(const std::string& address, BanFilter filter) const;
    bool has_hard_ban(const BanKey& key) const;
    // Executables of persistent commands with a ban that is not dry.
    std::set<std::string> responders() const;
    // What the journal has to hold.
    std::map<BanKey, Ban> bans() const;

  private:
    Entries entries_;
    std::set<std::pair<base::Timestamp, BanKey>> due_;
    std::uint64_t last_job_ = 0;
    std::chrono::nanoseconds clock_steps_{0};
};

}  // namespace portcullis::execd
