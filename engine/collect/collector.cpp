#include "engine/collect/collector.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "engine/collect/location.hpp"

namespace portcullis::collect {
namespace {

constexpr FileWatch::Key kFolders = 0;
// Folders may appear while others are being added. After this number of rounds the next event has
// to add them.
constexpr int kMaxFolderRounds = 4;
constexpr std::size_t kMaxFiles = 4096;

std::chrono::nanoseconds until_next_second(base::Timestamp now) {
    return Collector::kDatePeriod - now.time_since_epoch() % Collector::kDatePeriod;
}

}  // namespace

Collector::Collector(base::EventLoop& loop, base::Log& log, const base::Clock& clock,
                     CollectorOptions options, LineHandler handler)
    : loop_(loop),
      log_(log),
      clock_(clock),
      options_(std::move(options)),
      handler_(std::move(handler)),
      next_key_(kFolders + 1),
      watch_(options_.use_inotify),
      on_inotify_(base::EventLoop::no_source()),
      continue_timer_(base::EventLoop::no_source()),
      poll_timer_(base::EventLoop::no_source()),
      retry_timer_(base::EventLoop::no_source()),
      quiet_timer_(base::EventLoop::no_source()),
      date_timer_(base::EventLoop::no_source()),
      checkpoint_timer_(base::EventLoop::no_source()) {
    if (!options_.checkpoint_path.empty()) {
        auto loaded = load_checkpoint(options_.checkpoint_path);
        if (loaded) {
            saved_ = std::move(*loaded);
        } else {
            log_.warning(options_.checkpoint_path + ": " + loaded.error().message +
                         "; files are read from their end");
        }
    }
    if (watch_.fd() < 0) {
        return;
    }
    on_inotify_ = loop_.watch_fd(watch_.fd(), EPOLLIN, [this](std::uint32_t) {
        bool paths_changed = false;
        std::vector<FileWatch::Key> changed;
        watch_.take_events(
            [&](FileWatch::Key key, FileWatch::Change change) {
                paths_changed = paths_changed || change == FileWatch::Change::Name;
                if (key != kFolders) {
                    changed.push_back(key);
                }
            },
            [&] {
                log_.debug("inotify lost events: checking all files");
                paths_changed = true;
            });
        // Content first, so that lines are not delayed.
        for (const FileWatch::Key key : changed) {
            if (const auto entry = entry_of_key_.find(key); entry != entry_of_key_.end()) {
                read(*entry->second);
            }
        }
        if (paths_changed) {
            rescan();
        }
    });
}

Collector::~Collector() = default;

void Collector::set_files(std::vector<LocalFileConfig> files) {
    const base::Timestamp now = clock_.now();
    const std::vector<Location> before = std::exchange(locations_, {});
    for (LocalFileConfig& file : files) {
        Location& location = locations_.emplace_back();
        const auto known = std::find_if(before.begin(), before.end(), [&](const Location& each) {
            return each.file.location == file.location;
        });
        if (known != before.end()) {
            location.pattern = known->pattern;
            location.old_names = known->old_names;
        } else {
            location.pattern = with_date(file.location, now);
        }
        location.file = std::move(file);
        take_up_saved_names(location, now);
    }
    start_of_new_ = options_.first_start;
    rescan();
    saved_ = {};
    write_checkpoint(base::Durability::Process);
    date_timer_ = base::EventLoop::no_source();
    if (std::any_of(locations_.begin(), locations_.end(),
                    [](const Location& each) { return has_date(each.file.location); })) {
        keep_time();
    }
}

// Each second, and not at a precomputed time: a name may change at any second, because zones have
// any distance from UTC and change it, and the clock may be set.
void Collector::keep_time() {
    date_timer_ = loop_.call_after(until_next_second(clock_.now()), [this] {
        if (update_patterns(clock_.now())) {
            rescan();
        }
        keep_time();
    });
}

bool Collector::update_patterns(base::Timestamp now) {
    bool has_changed = false;
    for (Location& location : locations_) {
        auto& old_names = location.old_names;
        std::string pattern = with_date(location.file.location, now);
        const auto is_over = [&](const OldName& old) {
            return old.until <= now || old.pattern == pattern;
        };
        if (pattern != location.pattern) {
            old_names.push_back({std::move(location.pattern), now + kOldNameTime});
            location.pattern = pattern;
            location.is_of_new_date = true;
            has_changed = true;
        }
        const auto over = std::remove_if(old_names.begin(), old_names.end(), is_over);
        has_changed = has_changed || over != old_names.end();
        old_names.erase(over, old_names.end());
        if (old_names.size() > kMaxOldNames) {
            old_names.erase(old_names.begin(), old_names.end() - kMaxOldNames);
        }
    }
    return has_changed;
}

void Collector::take_up_saved_names(Location& location, base::Timestamp now) const {
    for (const TailedPath& saved : saved_.files) {
        if (!could_match(location.pattern, saved.path) &&
            could_be_dated(location.file.location, saved.path)) {
            location.old_names.push_back({saved.path, now + kOldNameTime});
        }
    }
    location.is_of_new_date =
        !location.old_names.empty() &&
        std::none_of(saved_.files.begin(), saved_.files.end(), [&](const TailedPath& saved) {
            return could_match(location.pattern, saved.path);
        });
}

void Collector::save_positions() {
    checkpoint_timer_ = base::EventLoop::no_source();
    static_cast<void>(write_checkpoint(base::Durability::Machine));
}

void Collector::rescan() {
    const base::Timestamp now = clock_.now();
    update_patterns(now);
    watch_folders();
    for (auto& [path, entry] : entries_) {
        entry.is_wanted = false;
    }
    for (Location& location : locations_) {
        for (const OldName& old : location.old_names) {
            for (const std::string& path : expand_pattern(old.pattern)) {
                want(path, location.file, start_of_new_);
            }
        }
        const StartAt start =
            std::exchange(location.is_of_new_date, false) ? StartAt::Beginning : start_of_new_;
        for (const std::string& path : expand_pattern(location.pattern)) {
            want(path, location.file, start);
        }
    }
    // A file that appears in a later scan is new: it is read from its beginning.
    start_of_new_ = StartAt::Beginning;
    for (auto& [path, entry] : entries_) {
        if (entry.is_wanted) {
            look_at(entry);
        } else {
            entry.tailer.retire(now);
        }
    }
    read_everything();
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        if (!entry->second.is_wanted && entry->second.tailer.is_idle()) {
            entry = forget(entry);
        } else {
            ++entry;
        }
    }
    arm_timers();
}

void Collector::watch_folders() {
    const bool had_unwatched_folders = has_unwatched_folders_;
    for (int round = 0; round < kMaxFolderRounds; ++round) {
        std::vector<std::string> folders;
        const auto add = [&](const std::string& pattern) {
            for (std::string& folder : folders_of_pattern(pattern)) {
                folders.push_back(std::move(folder));
            }
        };
        for (const Location& location : locations_) {
            add(location.pattern);
            for (const OldName& old : location.old_names) {
                add(old.pattern);
            }
        }
        std::sort(folders.begin(), folders.end());
        folders.erase(std::unique(folders.begin(), folders.end()), folders.end());
        if (round > 0 && folders == watched_folders_) {
            return;
        }
        // Added again even if the list is the same: a path may now lead to another folder.
        if (folders != watched_folders_) {
            watch_.remove(kFolders);
        }
        has_unwatched_folders_ = false;
        for (const std::string& folder : folders) {
            if (options_.can_watch_folders && watch_.add_folder(folder, kFolders)) {
                continue;
            }
            if (!had_unwatched_folders && !has_unwatched_folders_) {
                log_.info(folder +
                          ": cannot be watched (the engine's user may not read it, or inotify does "
                          "not work there); its open files are watched instead");
            }
            has_unwatched_folders_ = true;
        }
        watched_folders_ = std::move(folders);
    }
}

void Collector::want(const std::string& path, const LocalFileConfig& file, StartAt start_of_new) {
    const LogFormat* format = find_log_format(file.log_format);
    if (format == nullptr) {
        return;
    }
    TailedPath saved;
    if (const auto known = entries_.find(path); known != entries_.end()) {
        known->second.is_wanted = true;
        const FileTailer& tailer = known->second.tailer;
        if (&tailer.format() == format && tailer.line_count() == file.line_count) {
            return;
        }
        saved = known->second.tailer.position();
        forget(known);
    } else if (const TailedPath* position = saved_.find(path)) {
        saved = *position;
    }
    if (const auto identity = identity_of_path(path)) {
        for (const auto& [other_path, other] : entries_) {
            if (other.tailer.leads_to(*identity)) {
                log_.debug(
                    fmt::format("{}: is the same file as {} and is read once", path, other_path));
                return;
            }
        }
    }
    if (entries_.size() >= kMaxFiles) {
        log_.warning(
            fmt::format("{}: is not read: {} files are followed already", path, kMaxFiles));
        return;
    }
    const FileWatch::Key key = next_key_++;
    auto [added, is_new] = entries_.emplace(
        path,
        Entry{FileTailer(path, *format, start_of_new, log_, counters_, file.line_count), key});
    entry_of_key_[key] = &added->second;
    added->second.tailer.resume_from(saved, clock_.now());
    look_at(added->second);
}

Collector::Entries::iterator Collector::forget(Entries::iterator entry) {
    watch_.remove(entry->second.key);
    entry_of_key_.erase(entry->second.key);
    return entries_.erase(entry);
}

void Collector::look_at(Entry& entry) {
    entry.tailer.look_at_path(clock_.now(),
                              [this](FileIdentity file) -> std::optional<FilePosition> {
                                  for (auto& [path, other] : entries_) {
                                      if (auto position = other.tailer.release(file)) {
                                          return position;
                                      }
                                  }
                                  return std::nullopt;
                              });
}

void Collector::read(Entry& entry) {
    const std::uint64_t bytes_before = counters_.bytes;
    const std::uint64_t generation_before = entry.watched_generation;
    update_watches(entry);
    if (entry.tailer.read_available(handler_, kBudget) == ReadOutcome::More) {
        continue_timer_ =
            loop_.call_after(std::chrono::nanoseconds(0), [this] { read_everything(); });
    }
    if (counters_.bytes != bytes_before || entry.watched_generation != generation_before) {
        on_positions_changed();
    }
}

void Collector::read_everything() {
    continue_timer_ = base::EventLoop::no_source();
    for (auto& [path, entry] : entries_) {
        read(entry);
    }
}

void Collector::update_watches(Entry& entry) {
    if (entry.watched_generation == entry.tailer.generation()) {
        return;
    }
    entry.watched_generation = entry.tailer.generation();
    watch_.remove(entry.key);
    entry.is_polled = false;
    for (const int fd : entry.tailer.descriptors()) {
        entry.is_polled = !watch_.add_file(fd, entry.key) || entry.is_polled;
    }
    if (entry.is_polled && !said_polling_) {
        said_polling_ = true;
        log_.warning(entry.tailer.path() +
                     ": inotify does not work here, so the file is checked every 250 ms");
    }
}

// An open file reports its own renaming. A file that appears in an unwatched folder is not
// reported.
bool Collector::must_poll() const {
    const bool can_appear_unseen =
        has_unwatched_folders_ &&
        std::any_of(locations_.begin(), locations_.end(),
                    [](const Location& each) { return has_glob(each.pattern); });
    return can_appear_unseen ||
           std::any_of(entries_.begin(), entries_.end(), [this](const auto& each) {
               const Entry& entry = each.second;
               return entry.is_polled ||
                      (has_unwatched_folders_ && entry.is_wanted && entry.tailer.leads_nowhere());
           });
}

void Collector::arm_timers() {
    // A folder further up may also be renamed without a report.
    bool is_failing = has_unwatched_folders_;
    bool has_previous = false;
    for (const auto& [path, entry] : entries_) {
        is_failing = is_failing || entry.tailer.is_failing();
        has_previous = has_previous || entry.tailer.has_previous();
    }
    if (!must_poll()) {
        poll_timer_.reset();
    } else if (!poll_timer_) {
        poll_timer_ = loop_.call_every(kPollPeriod, [this] { rescan(); });
    }
    if (!is_failing) {
        retry_timer_.reset();
    } else if (!retry_timer_) {
        retry_timer_ = loop_.call_every(kRetryPeriod, [this] { rescan(); });
    }
    if (!has_previous) {
        quiet_timer_.reset();
    } else if (!quiet_timer_) {
        quiet_timer_ = loop_.call_every(FileTailer::kQuietTime / 4, [this] {
            for (auto& [path, entry] : entries_) {
                entry.tailer.close_quiet_files(clock_.now(), handler_);
            }
            rescan();
        });
    }
}

void Collector::on_positions_changed() {
    if (!options_.checkpoint_path.empty() && !checkpoint_timer_) {
        checkpoint_timer_ = loop_.call_after(kCheckpointPeriod, [this] {
            checkpoint_timer_.reset();
            if (!write_checkpoint(base::Durability::Process)) {
                on_positions_changed();  // tries again later
            }
        });
    }
}

bool Collector::write_checkpoint(base::Durability durability) {
    if (options_.checkpoint_path.empty()) {
        return true;
    }
    if (options_.before_checkpoint && !options_.before_checkpoint()) {
        return false;
    }
    const auto written = save_checkpoint(positions(), options_.checkpoint_path, durability);
    if (!written && !checkpoint_failed_) {
        log_.error(options_.checkpoint_path + ": " + written.error().message);
    }
    checkpoint_failed_ = !written;
    return true;
}

Checkpoint Collector::positions() const {
    Checkpoint checkpoint;
    for (const auto& [path, entry] : entries_) {
        checkpoint.files.push_back(entry.tailer.position());
    }
    return checkpoint;
}

}  // namespace portcullis::collect
