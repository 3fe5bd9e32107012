#include "engine/execd/ban_table.hpp"

namespace portcullis::execd {

using base::Timestamp;

Ban moved(Ban ban, std::chrono::nanoseconds by) {
    ban.since += by;
    if (ban.until != kNever) {
        ban.until += by;
    }
    if (ban.soft_until && *ban.soft_until != kNever) {
        *ban.soft_until += by;
    }
    return ban;
}

bool BanEntry::is_followed_by_soft_block(Timestamp now) const {
    return !is_being_undone() && ban.until <= now && ban.soft_until &&
           *ban.soft_until >= now + std::chrono::seconds(1);
}

void BanEntry::note_answer(std::uint64_t job, const std::optional<Ban>& asked,
                           const JobResult& result) {
    if (job < effect.job) {
        return;
    }
    if (!result.ok) {
        effect.is_uncertain = effect.is_uncertain || result.may_have_happened;
        return;
    }
    effect.job = job;
    effect.ban = asked;
    if (asked && ban.block == asked->block) {
        effect.ban->soft_until = ban.soft_until;  // no request says it
    }
    effect.is_uncertain = false;
    failed_attempts = 0;
    interrupted_undo.reset();
}

BanTable::BanTable(const std::map<BanKey, Ban>& bans) {
    for (const auto& [key, ban] : bans) {
        BanEntry& entry = entries_[key];
        entry.ban = ban;
        entry.effect.ban = entry.ban;
        entry.effect.is_uncertain = true;
        set_due(entry, entry.ban.until);
    }
}

BanEntry& BanTable::find_or_add(const BanKey& key) {
    BanEntry& entry = entries_[key];
    entry.ban.key = key;
    return entry;
}

void BanTable::erase(Iterator it) {
    set_due(it->second, kNever);
    entries_.erase(it);
}

std::uint64_t BanTable::begin_job(BanEntry& entry, BanState state) {
    entry.state = state;
    entry.last_job = ++last_job_;
    return entry.last_job;
}

void BanTable::set_due(BanEntry& entry, Timestamp due) {
    due_.erase({entry.due, entry.ban.key});
    entry.due = due;
    if (due != kNever) {
        due_.emplace(due, entry.ban.key);
    }
}

std::optional<Timestamp> BanTable::next_due() const {
    return due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
}

BanTable::Iterator BanTable::first_due(Timestamp now) {
    return due_.empty() || due_.begin()->first > now ? end() : find(due_.begin()->second);
}

void BanTable::clock_jumped(std::chrono::nanoseconds by) {
    const auto move = [by](Timestamp& time) {
        if (time != kNever) {
            time += by;
        }
    };
    clock_steps_ += by;
    due_.clear();
    for (auto& [key, entry] : entries_) {
        entry.ban = moved(std::move(entry.ban), by);
        if (entry.effect.ban) {
            entry.effect.ban = moved(*std::move(entry.effect.ban), by);
        }
        move(entry.applied_until);
        move(entry.due);
        if (entry.due != kNever) {
            due_.emplace(entry.due, key);
        }
    }
}

bool BanTable::has_ban(const std::string& executable, const std::string& address,
                       BanFilter filter) const {
    for (auto it = entries_.lower_bound({executable, address, ""});
         it != end() && it->first.executable == executable && it->first.address == address; ++it) {
        if (!it->second.ban.is_dry && (filter == BanFilter::All || !it->second.is_being_undone())) {
            return true;
        }
    }
    return false;
}

bool BanTable::is_explained(const std::string& address, BanFilter filter) const {
    for (auto it = begin(); it != end();) {
        const std::string& executable = it->first.executable;
        if (has_ban(executable, address, filter)) {
            return true;
        }
        it = entries_.lower_bound({executable + '\0', "", ""});
    }
    return false;
}

bool BanTable::has_hard_ban(const BanKey& key) const {
    const auto it = find(key);
    return it != end() && !it->second.is_being_undone() && !it->second.ban.is_dry &&
           it->second.ban.block == base::BlockKind::Hard;
}

std::set<std::string> BanTable::responders() const {
    std::set<std::string> names;
    for (const auto& [key, entry] : entries_) {
        if (entry.ban.is_persistent && !entry.ban.is_dry) {
            names.insert(key.executable);
        }
    }
    return names;
}

std::map<BanKey, Ban> BanTable::bans() const {
    std::map<BanKey, Ban> bans;
    for (const auto& [key, entry] : entries_) {
        bans.emplace(key, entry.ban);
    }
    return bans;
}

}  // namespace portcullis::execd
