#include "engine/collect/file_tailer.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace portcullis::collect {

std::optional<FileIdentity> identity_of_path(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        return std::nullopt;
    }
    return FileIdentity{status.st_dev, status.st_ino};
}

namespace {

// A folder with more entries than this is not searched for a rotated file.
constexpr int kMaxSearched = 10'000;

// Bytes of a rotated file that are read at a time before it may be closed.
constexpr std::size_t kCloseBudget = std::size_t{1} << 20;

// The path of `file` if it lies in the folder of `path`: where a rotation by renaming leaves it.
std::optional<std::string> find_beside(const std::string& path, FileIdentity file) {
    std::error_code error;
    auto folder = std::filesystem::path(path).parent_path();
    std::filesystem::directory_iterator entry(folder.empty() ? "." : folder, error);
    for (int seen = 0;
         !error && entry != std::filesystem::directory_iterator{} && seen < kMaxSearched;
         ++seen, entry.increment(error)) {
        if (identity_of_path(entry->path().string()) == file) {
            return entry->path().string();
        }
    }
    return std::nullopt;
}

}  // namespace

FileTailer::FileTailer(std::string path, const LogFormat& format, StartAt start, base::Log& log,
                       TailerCounters& counters, std::size_t line_count)
    : path_(std::move(path)),
      format_(&format),
      line_count_(line_count),
      start_(start),
      log_(log),
      counters_(counters) {}

void FileTailer::resume_from(const TailedPath& saved, base::Timestamp now) {
    const auto file_now = identity_of_path(path_);
    const bool is_missing = !file_now && (errno == ENOENT || errno == ENOTDIR);
    const auto follow_rotated = [&](const FilePosition& position) {
        const auto path = find_beside(path_, position.file);
        if (!path) {
            return;
        }
        auto file = TailedFile::open(*path, make_reader());
        if (file && file->resume(position)) {
            move_to_previous(std::move(*file), now);
        }
    };
    for (const FilePosition& position : saved.previous) {
        if (file_now != position.file) {
            follow_rotated(position);
        }
    }
    if (saved.current) {
        if (is_missing || (file_now && file_now != saved.current->file)) {
            follow_rotated(*saved.current);
        } else {
            resume_at_ = saved.current;
        }
        // If it is another file, or has other content, it is newer than the saved position, and
        // none of it was read (look_at_path detects that).
        start_ = StartAt::Beginning;
    }
}

void FileTailer::look_at_path(base::Timestamp now, const TakeOver& take_over) {
    const auto file_now = identity_of_path(path_);
    leads_nowhere_ = !file_now;
    if (current_) {
        if (file_now == current_->identity()) {
            return;
        }
        if (!file_now && !current_->is_deleted()) {
            return;  // renamed, and its writer has not made a new one yet
        }
        log_.debug(path_ + ": was rotated; the old file is read to its end");
        rotation_to_report_ = file_now.has_value();
        ++counters_.rotations;
        move_to_previous(std::move(*current_), now);
        current_.reset();
        ++generation_;
    }
    auto opened = TailedFile::open(path_, make_reader());
    if (!opened) {
        if (opened.error().code == "missing-file") {
            // A file that appears here later is new, from its first byte on.
            start_ = StartAt::Beginning;
            is_failing_ = false;
            if (last_failure_ != opened.error().message) {
                last_failure_ = opened.error().message;
                log_.info(path_ + ": there is no such file yet; waiting for it");
            }
        } else {
            report_failure(opened.error());
        }
        return;
    }
    is_failing_ = false;
    last_failure_.clear();
    if (const auto known = take_over ? take_over(opened->identity()) : std::nullopt) {
        resume_at_ = known;
        start_ = StartAt::Beginning;
    }
    current_ = std::move(*opened);
    ++generation_;
    if (resume_at_ && current_->resume(*resume_at_)) {
        log_.debug(path_ + ": continues at byte " + std::to_string(resume_at_->offset));
    } else if (start_ == StartAt::End) {
        current_->skip_to_end();
    }
    resume_at_.reset();
    start_ = StartAt::Beginning;
}

ReadOutcome FileTailer::read_available(const LineHandler& handler, std::size_t budget) {
    const RecordHandler on_record = record_handler(handler);
    while (!closing_.empty()) {
        TailedFile& file = closing_.front().file;
        if (read(file, on_record, budget) == ReadOutcome::More) {
            return ReadOutcome::More;
        }
        file.finish(on_record);
        closing_.erase(closing_.begin());
    }
    for (Previous& old : previous_) {
        old.file.check_content(on_record);
        if (read(old.file, on_record, budget) == ReadOutcome::More) {
            return ReadOutcome::More;
        }
    }
    if (!current_) {
        return ReadOutcome::Drained;
    }
    if (std::exchange(rotation_to_report_, false)) {
        report_event("ossec: File rotated (inode changed): '" + path_ + "'.", handler);
    }
    if (current_->check_content(on_record) == ContentChange::Replaced) {
        ++counters_.truncations;
        report_event("ossec: File size reduced (inode remained): '" + path_ + "'.", handler);
    }
    return read(*current_, on_record, budget);
}

bool FileTailer::close_quiet_files(base::Timestamp now, const LineHandler& handler) {
    const RecordHandler on_record = record_handler(handler);
    for (auto old = previous_.begin(); old != previous_.end();) {
        // Not to its end: its writer may be faster than this, and other files wait.
        std::size_t budget = kCloseBudget;
        read(old->file, on_record, budget);
        if (old->file.bytes_read() != old->bytes_seen) {
            old->bytes_seen = old->file.bytes_read();
            old->quiet_since = now;
        }
        if (now - old->quiet_since < kQuietTime) {
            ++old;
            continue;
        }
        old->file.finish(on_record);
        old = previous_.erase(old);
        ++generation_;
    }
    return !previous_.empty();
}

void FileTailer::retire(base::Timestamp now) {
    if (current_) {
        move_to_previous(std::move(*current_), now);
        current_.reset();
    }
}

bool FileTailer::leads_to(FileIdentity file) const {
    return current_ && current_->identity() == file && identity_of_path(path_) == file;
}

std::optional<FilePosition> FileTailer::release(FileIdentity file) {
    for (auto* files : {&closing_, &previous_}) {
        const auto old = std::find_if(files->begin(), files->end(), [&](const Previous& each) {
            return each.file.identity() == file;
        });
        if (old != files->end()) {
            const FilePosition position = old->file.position();
            files->erase(old);
            ++generation_;
            return position;
        }
    }
    std::optional<FilePosition> position;
    if (current_ && current_->identity() == file && !leads_to(file)) {
        position = current_->position();
        current_.reset();
        ++generation_;
    }
    return position;
}

TailedPath FileTailer::position() const {
    TailedPath saved;
    saved.path = path_;
    if (current_ && !current_->is_pipe()) {
        saved.current = current_->position();
    } else if (resume_at_) {
        saved.current = resume_at_;  // not read yet: a failing file keeps its place
    }
    for (const auto* files : {&closing_, &previous_}) {
        for (const Previous& old : *files) {
            saved.previous.push_back(old.file.position());
        }
    }
    return saved;
}

std::vector<int> FileTailer::descriptors() const {
    std::vector<int> descriptors;
    for (const Previous& old : previous_) {
        descriptors.push_back(old.file.fd());
    }
    if (current_) {
        descriptors.push_back(current_->fd());
    }
    return descriptors;
}

void FileTailer::move_to_previous(TailedFile file, base::Timestamp now) {
    if (previous_.size() == kMaxPrevious) {
        if (closing_.size() == kMaxClosing) {
            log_.warning(path_ +
                         ": rotated faster than it can be read: the rest of an old file is "
                         "skipped");
            closing_.erase(closing_.begin());
        }
        closing_.push_back(std::move(previous_.front()));
        previous_.erase(previous_.begin());
    }
    const std::uint64_t bytes_seen = file.bytes_read();
    previous_.push_back({std::move(file), now, bytes_seen});
    ++generation_;
}

ReadOutcome FileTailer::read(TailedFile& file, const RecordHandler& handler, std::size_t& budget) {
    const std::uint64_t before = file.bytes_read();
    const ReadOutcome outcome = file.read(handler, budget);
    const std::uint64_t taken = file.bytes_read() - before;
    counters_.bytes += taken;
    budget -= std::min<std::uint64_t>(taken, budget);
    return outcome;
}

void FileTailer::report_failure(const base::Diagnostic& why) {
    is_failing_ = true;
    if (last_failure_ != why.message) {
        last_failure_ = why.message;
        log_.error(path_ + ": cannot be read: " + why.message + "; this is tried again");
    }
}

RecordHandler FileTailer::record_handler(const LineHandler& handler) {
    return [this, &handler](std::string_view record) {
        ++counters_.lines;
        counters_.pieces_of_long_lines += record.size() >= kMaxRecord ? 1 : 0;
        handler(record, path_);
    };
}

void FileTailer::report_event(std::string_view what, const LineHandler& handler) {
    log_.info(what);
    handler(what, kCollectorLocation);
}

}  // namespace portcullis::collect
