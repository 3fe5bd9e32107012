#include "active-response/ban_sets.hpp"
#include "active-response/local_ports.hpp"

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/ban_target.hpp"
#include "base/fd.hpp"

namespace portcullis::active_response {
namespace {

using base::BlockKind;
using std::chrono::seconds;
using std::chrono::steady_clock;

// Of a transaction that another process' changes overtake.
constexpr int kMaxAttempts = 50;
constexpr int kElementAttempts = 4;
constexpr std::size_t kBatchChanges = 200;
// Two parties that undo each other's work must not keep a processor busy.
constexpr double kTurnsAtOnce = 20;
constexpr double kTurnsPerSecond = 1;
constexpr seconds kFightReportPeriod{60};
constexpr seconds kRetryPause{10};
// If the time left of an element differs by more than this from what we set, another process
// changed it.
constexpr seconds kTimeTolerance{2};
constexpr std::size_t kMaxNamed = 3;
constexpr std::size_t kMaxAskedEach = 2000;
constexpr int kMaxRounds = 3;

constexpr BlockKind other_than(BlockKind block) {
    return block == BlockKind::Hard ? BlockKind::Soft : BlockKind::Hard;
}

std::uint32_t next_generation(std::uint32_t generation) {
    return generation + 1 == 0 ? 1 : generation + 1;
}

std::pair<base::IpAddress, int> key_of(const base::Cidr& target) {
    return {target.address, target.prefix_length};
}

void add_element(Transaction& transaction, int type, int flags, const Element& element) {
    transaction.add(type, flags,
                    elements_message(set_of(element.target, element.block), &element, 1));
}

// Takes it away whether or not it is there: put there first, if it is not, so that taking it away
// cannot fail.
void add_removal(Transaction& transaction, const base::Cidr& target, BlockKind block) {
    const Element element{target, block, seconds(1)};
    add_element(transaction, NFT_MSG_NEWSETELEM, NLM_F_CREATE, element);
    add_element(transaction, NFT_MSG_DELSETELEM, 0, {target, block, seconds(0)});
}

bool is_as(const Held& held, const Element& element) {
    if (held.block != element.block || held.left.has_value() != (element.timeout > seconds(0))) {
        return false;
    }
    return !held.left || std::chrono::abs(*held.left - element.timeout) <= kTimeTolerance;
}

std::string names_of(const std::vector<BanSets::Change>& changes) {
    std::string names;
    for (std::size_t i = 0; i < std::min(changes.size(), kMaxNamed); ++i) {
        names += (i == 0 ? "" : ", ") + base::ban_target_text(changes[i].element.target);
    }
    return changes.size() > kMaxNamed ? names + " …" : names;
}

}  // namespace

base::Result<BanSets> BanSets::open(Follow follow) {
    auto socket = NfSocket::open(NfSocket::Waits::Yes);
    if (!socket) {
        return base::fail(socket.error());
    }
    std::optional<TableWatch> watch;
    if (follow == Follow::Yes) {
        // Without it, check() finds what was changed.
        if (auto opened = TableWatch::open(socket->port())) {
            watch = std::move(*opened);
        }
    }
    BanSets sets(std::move(*socket), std::move(watch));
    sets.first_local_port_ = first_local_port();
    return sets;
}

base::Result<void> BanSets::ensure_table() {
    is_table_due_ = true;
    take_news();
    if (generation_) {
        return {};
    }
    if (put_in_order() != 0) {
        return failure("not-made", problem_);
    }
    return {};
}

void BanSets::add_sets(const std::set<SetId>& sets, Transaction& transaction) const {
    std::set<SetId> all = sets_;
    all.insert(sets.begin(), sets.end());
    if (all.size() != sets_.size()) {
        TableForm::due(sets_, first_local_port_)
            .change_into(TableForm::due(std::move(all), first_local_port_), transaction);
    }
}

int BanSets::commit(const std::function<void(Transaction&)>& fill) {
    is_table_due_ = true;
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
        if (!generation_) {
            if (const int error = put_in_order(); error != 0) {
                return error;
            }
        }
        Transaction transaction(socket_, generation_);
        fill(transaction);
        const int error = transaction.commit();
        if (error == 0) {
            generation_ = next_generation(*generation_);
            return 0;
        }
        problem_ = explain(error);
        if (error != ERESTART) {
            return error;
        }
        const auto before = generation_;
        take_news();
        if (generation_ == before) {
            generation_.reset();  // changed by something that nobody hears of
        }
    }
    problem_ = "other processes change the ruleset faster than it can be checked";
    return EAGAIN;
}

int BanSets::change_form(const TableForm::Reading& reading, const TableForm& due) {
    int error = 0;
    enum class How { WithElements, FormOnly, Anew };
    // The last resort is for what cannot be changed in place.
    for (const auto how : {How::WithElements, How::FormOnly, How::Anew}) {
        Transaction transaction(socket_, reading.generation);
        const auto made = how == How::Anew ? reading.form.replace_by(due, transaction)
                                           : reading.form.change_into(due, transaction);
        if (how != How::FormOnly) {
            std::map<SetId, std::vector<Element>> elements;
            for (const auto& element : blocked_.all()) {
                elements[set_of(element.target, element.block)].push_back(element);
            }
            for (const auto& [set, list] : elements) {
                // One that is there stays as it is.
                if (made.count(set) == 0 && !is_inventory_due_) {
                    continue;
                }
                for (std::size_t begin = 0; begin < list.size(); begin += kElementsPerMessage) {
                    transaction.add(
                        NFT_MSG_NEWSETELEM, NLM_F_CREATE,
                        elements_message(set, &list[begin],
                                         std::min(kElementsPerMessage, list.size() - begin)));
                }
            }
        }
        error = transaction.commit();
        if (error == 0) {
            is_inventory_due_ =
                !blocked_.is_empty() &&
                (how == How::FormOnly || (is_inventory_due_ && made.size() < due.sets().size()));
            others_may_block_ = made.size() < due.sets().size();
            return 0;
        }
        if (error == ERESTART || error == EPERM) {
            return error;
        }
    }
    return error;
}

int BanSets::put_in_order() {
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
        auto reading = TableForm::read(socket_);
        if (!reading) {
            problem_ = reading.error().message;
            return EIO;
        }
        const bool was_looked_at = !sets_.empty();
        std::set<SetId> sets = reading->form.sets();
        sets.insert(sets_.begin(), sets_.end());
        const TableForm due = TableForm::due(sets, first_local_port_);
        const std::string difference = reading->form.difference(due);
        if (difference.empty()) {
            others_may_block_ = true;
            sets_ = due.sets();
            generation_ = reading->generation;
            return 0;
        }
        const int error = change_form(*reading, due);
        if (error == ERESTART) {
            continue;
        }
        if (error != 0) {
            problem_ = fmt::format("cannot make the table inet portcullis ({}): {}", difference,
                                   explain(error));
            return error;
        }
        sets_ = due.sets();
        generation_ = next_generation(reading->generation);
        if (was_looked_at) {
            report(fmt::format("{} removed or changed the table inet portcullis ({}): put back",
                               actor(), difference));
        } else if (difference != TableForm::kAll) {
            report(fmt::format("the table inet portcullis had another form ({}): put in order",
                               difference));
        }
        return 0;
    }
    problem_ = "other processes change the ruleset faster than it can be checked";
    return EAGAIN;
}

int BanSets::find_in(const base::Cidr& target, BlockKind block, std::vector<Held>& held) {
    const Element element{target, block, seconds(0)};
    return socket_.ask(NFT_MSG_GETSETELEM, NLM_F_ACK,
                       elements_message(set_of(target, block), &element, 1),
                       [&](const nlmsghdr& header) { take_elements(header, held); });
}

bool BanSets::holds(const base::Cidr& target, BlockKind block) {
    std::vector<Held> held;
    return find_in(target, block, held) == 0 && !held.empty();
}

bool BanSets::may_hold(const base::Cidr& target, BlockKind block) {
    if (!has(set_of(target, block))) {
        return false;
    }
    const auto ours = blocked_.find(target);
    return (ours && ours->block == block) || (others_may_block_ && holds(target, block));
}

base::Result<void> BanSets::add(const Element& element) {
    if (auto made = ensure_table(); !made) {
        return failure("not-blocked", made.error().message);
    }
    const auto& target = element.target;
    const auto other = other_than(element.block);
    // Older kernels ignore a new timeout of an element that is there: it is replaced, in one
    // transaction, so that no packet slips through.
    const auto ours = blocked_.find(target);
    bool is_here = ours && ours->block == element.block;
    bool is_there = may_hold(target, other);
    int error = 0;
    for (int attempt = 0; attempt < kElementAttempts; ++attempt) {
        const SetId set = set_of(target, element.block);
        error = commit([&](Transaction& transaction) {
            add_sets({set}, transaction);
            if (is_there && has(set_of(target, other))) {
                add_element(transaction, NFT_MSG_DELSETELEM, 0, {target, other, seconds(0)});
            }
            if (is_here && has(set)) {
                add_element(transaction, NFT_MSG_DELSETELEM, 0,
                            {target, element.block, seconds(0)});
            }
            add_element(transaction, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, element);
        });
        if (error == 0) {
            sets_.insert(set);
            blocked_.add(element);
            return {};
        }
        if (error == EEXIST) {
            is_here = true;
        } else if (error == ENOENT) {  // it ran out meanwhile
            is_here = holds(target, element.block);
            is_there = holds(target, other);
        } else {
            break;
        }
    }
    return failure("not-blocked", "the kernel refuses the block: " + problem_);
}

bool BanSets::apply(const std::vector<Change>& changes) {
    take_news();
    const bool blocks = std::any_of(changes.begin(), changes.end(),
                                    [](const Change& change) { return !change.is_removal; });
    if (!blocks && !generation_) {
        return false;  // a removal makes no table
    }
    if (!ensure_table()) {
        return false;
    }
    for (std::size_t begin = 0; begin < changes.size(); begin += kBatchChanges) {
        const auto end = std::min(begin + kBatchChanges, changes.size());
        std::set<SetId> needed;
        for (auto i = begin; i < end; ++i) {
            if (!changes[i].is_removal) {
                needed.insert(set_of(changes[i].element.target, changes[i].element.block));
            }
        }
        const int error = commit([&](Transaction& transaction) {
            add_sets(needed, transaction);
            for (auto i = begin; i < end; ++i) {
                const auto& [element, is_removal] = changes[i];
                for (const auto block : {BlockKind::Hard, BlockKind::Soft}) {
                    const SetId set = set_of(element.target, block);
                    const bool is_own = !is_removal && block == element.block;
                    if (is_own || (has(set) && (is_removal || may_hold(element.target, block)))) {
                        add_removal(transaction, element.target, block);
                    }
                }
                if (!is_removal) {
                    add_element(transaction, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL,
                                element);
                }
            }
        });
        if (error != 0) {
            return false;
        }
        sets_.insert(needed.begin(), needed.end());
        for (auto i = begin; i < end; ++i) {
            if (changes[i].is_removal) {
                blocked_.remove(changes[i].element.target);
            } else {
                blocked_.add(changes[i].element);
            }
        }
    }
    return true;
}

base::Result<void> BanSets::remove(const base::Cidr& target) {
    blocked_.remove(target);
    int error = 0;
    for (const auto block : {BlockKind::Hard, BlockKind::Soft}) {
        const auto fill = [&](Transaction& transaction) {
            add_element(transaction, NFT_MSG_DELSETELEM, 0, {target, block, seconds(0)});
        };
        int result = 0;
        if (generation_) {
            if (!has(set_of(target, block))) {
                continue;
            }
            result = commit(fill);
        } else {
            Transaction transaction(socket_, std::nullopt);
            fill(transaction);
            result = transaction.commit();
            problem_ = explain(result);
        }
        if (result != 0 && result != ENOENT) {
            error = result;
        }
    }
    if (error != 0) {
        return failure("not-unblocked", "the kernel refuses the unblock: " + problem_);
    }
    return {};
}

base::Result<std::vector<Held>> BanSets::find(const base::Cidr& target) {
    std::vector<Held> held;
    for (const auto block : {BlockKind::Hard, BlockKind::Soft}) {
        const int error = find_in(target, block, held);
        if (error != 0 && error != ENOENT) {
            return failure("not-read", "the kernel does not show the set: " + explain(error));
        }
    }
    return held;
}

void BanSets::take_news() {
    if (!watch_) {
        return;
    }
    const auto news = watch_->read_news();
    if (!news.actor.empty()) {
        actor_ = news.actor;
    }
    if (news.form_was_touched || news.were_lost) {
        generation_.reset();
    } else if (generation_ && news.generation) {
        generation_ = news.generation;
    }
    is_inventory_due_ = is_inventory_due_ || news.were_lost || news.set_was_removed;
    others_may_block_ = others_may_block_ || news.were_lost || !news.added.empty();
    for (const auto* list : {&news.removed, &news.added}) {
        for (const auto& held : *list) {
            if (blocked_.find(held.target)) {
                touched_.insert(key_of(held.target));
            }
        }
    }
}

void BanSets::keep_up() {
    if (inventory_) {
        go_on_with_inventory();
    }
    take_news();
    restore();
}

void BanSets::check() {
    take_news();
    if (!is_table_due_) {
        return;
    }
    if (generation_) {
        const auto generation = generation_of(socket_);
        if (!generation || *generation != *generation_) {
            take_news();  // it may have come meanwhile
            if (!generation || generation_ != *generation) {
                generation_.reset();
                is_inventory_due_ = true;
            }
        }
    }
    if (const auto port = first_local_port(); port != first_local_port_) {
        const int error = commit([&](Transaction& transaction) {
            TableForm::due(sets_, first_local_port_)
                .change_into(TableForm::due(sets_, port), transaction);
        });
        if (error == 0) {
            first_local_port_ = port;
        }
    }
    restore();
}

bool BanSets::take_turn() {
    const auto now = steady_clock::now();
    if (restore_due_ && now < *restore_due_) {
        return false;
    }
    restore_due_.reset();
    const std::chrono::duration<double> since = now - turns_at_;
    turns_ = std::min(kTurnsAtOnce, turns_ + since.count() * kTurnsPerSecond);
    turns_at_ = now;
    is_fight_ = turns_ < 1;
    if (!is_fight_) {
        turns_ -= 1;
        return true;
    }
    if (now >= next_fight_report_) {
        next_fight_report_ = now + kFightReportPeriod;
        is_fight_ = false;
        report(
            fmt::format("{} changes the table inet portcullis again and again: it is put back "
                        "once a second, which is not reported any more, and blocks may fail",
                        actor()));
        is_fight_ = true;
    }
    restore_due_ = now + std::chrono::seconds(1);
    return false;
}

void BanSets::restore() {
    if (!is_table_due_ || (generation_ && touched_.empty() && !is_inventory_due_)) {
        return;
    }
    if (!take_turn()) {
        return;
    }
    if (!generation_ && put_in_order() != 0) {
        if (std::exchange(reported_problem_, problem_) != problem_) {
            report("the table inet portcullis is not as it must be: " + problem_);
        }
        restore_due_ = steady_clock::now() + kRetryPause;
        return;
    }
    reported_problem_.clear();
    put_back_touched();
    if (std::exchange(is_inventory_due_, false)) {
        start_inventory();
    }
}

void BanSets::put_back_touched() {
    std::vector<Change> changes;
    for (const auto& [address, length] : std::exchange(touched_, {})) {
        const auto ours = blocked_.find({address, length});
        std::vector<Held> held;
        if (ours && (find_in(ours->target, ours->block, held) != 0 || held.empty() ||
                     !is_as(held.front(), *ours))) {
            changes.push_back({*ours});
        }
    }
    if (changes.empty()) {
        return;
    }
    const std::string names = names_of(changes);
    report(apply(changes) ? fmt::format("{} removed or changed {} blocked addresses ({}): put back",
                                        actor(), changes.size(), names)
                          : fmt::format("{} blocked addresses ({}) cannot be put back: {}",
                                        changes.size(), names, problem_));
}

void BanSets::start_inventory() {
    if (blocked_.is_empty()) {
        return;
    }
    auto walk = HeldWalk::start();
    if (!walk) {
        report(walk.error().message);
        return;
    }
    inventory_.emplace(Inventory{std::move(*walk), {}, 1});
    for (const auto& element : blocked_.all()) {
        inventory_->missing.emplace(key_of(element.target), element);
    }
}

void BanSets::go_on_with_inventory() {
    std::vector<Held> slice;
    const auto is_unfinished = inventory_->walk.read_slice(slice);
    for (const auto& held : slice) {
        const auto it = inventory_->missing.find(key_of(held.target));
        const auto ours =
            it == inventory_->missing.end() ? std::nullopt : blocked_.find(held.target);
        if (ours && is_as(held, *ours)) {
            inventory_->missing.erase(it);
        }
    }
    if (is_unfinished && *is_unfinished) {
        return;
    }
    // What was changed while it was read may still be there; and a hash table that grows
    // shows only a part of what it holds.
    const auto missing = std::move(inventory_->missing);
    const int rounds = inventory_->rounds;
    inventory_.reset();
    if (missing.size() > kMaxAskedEach && rounds < kMaxRounds) {
        if (auto walk = HeldWalk::start()) {
            inventory_.emplace(Inventory{std::move(*walk), missing, rounds + 1});
            return;
        }
    }
    if (missing.size() <= kMaxAskedEach) {
        for (const auto& [key, element] : missing) {
            touched_.insert(key);
        }
        put_back_touched();
        return;
    }
    std::vector<Change> changes;
    for (const auto& [key, element] : missing) {
        if (const auto ours = blocked_.find(element.target)) {
            changes.push_back({*ours});
        }
    }
    report(apply(changes) ? fmt::format("{} removed or changed {} blocked addresses ({}): put back",
                                        actor(), changes.size(), names_of(changes))
                          : "blocked addresses cannot be put back: " + problem_);
}

void BanSets::report(std::string sentence) {
    // Nobody may be there to take them: a one-shot call does so at its end.
    constexpr std::size_t kMaxReports = 100;
    if (!is_fight_ && restored_.size() < kMaxReports) {
        restored_.push_back(std::move(sentence));
    }
}

}  // namespace portcullis::active_response
