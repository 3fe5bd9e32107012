#include "engine/state/file_state_store.hpp"

#include <array>

namespace portcullis::state {

FileStateStore::FileStateStore(const std::string& queue, const rules::StateLimits& limits)
    : first_times_(queue + "/fts/fts-queue", limits.first_times),
      ignored_(queue + "/fts/ig-queue", limits.ignored),
      last_logs_(queue + "/diff", limits.last_logs) {}

void FileStateStore::load(base::Diagnostics& diagnostics) {
    for (const auto& loaded : {first_times_.load(), ignored_.load(), last_logs_.load()}) {
        if (!loaded) {
            base::Diagnostic warning = loaded.error();
            warning.severity = base::Severity::Warning;
            warning.hint = "what rules remembered of earlier runs is not known";
            diagnostics.add(std::move(warning));
        }
    }
}

void FileStateStore::clear() {
    first_times_.clear();
    ignored_.clear();
    last_logs_.clear();
}

bool FileStateStore::has_pending() const {
    return first_times_.has_pending() || ignored_.has_pending() || last_logs_.has_pending();
}

// Each file is tried even if another one fails.
template <class Write>
bool FileStateStore::write_all(base::Log& log, Write write) {
    const std::array results{write(first_times_), write(ignored_), write(last_logs_)};
    const base::Diagnostic* failure = nullptr;
    for (const base::Result<void>& result : results) {
        failure = result || failure != nullptr ? failure : &result.error();
    }
    if (failure != nullptr) {
        ++write_failures_;
        if (!is_failing_) {
            log.error(failure->place.file + ": " + failure->message +
                      "; what rules remember is kept in memory and written when that is possible");
        }
    } else if (is_failing_) {
        log.warning("what rules remember is written to the disk again");
    }
    is_failing_ = failure != nullptr;
    return failure == nullptr;
}

bool FileStateStore::flush(base::Log& log) {
    return write_all(log, [](auto& file) { return file.flush(); });
}

bool FileStateStore::flush_keys(base::Log& log) {
    bool is_written = true;
    while (is_written && (first_times_.has_pending() || ignored_.has_pending())) {
        is_written = flush(log);
    }
    return is_written;
}

bool FileStateStore::sync(base::Log& log) {
    return write_all(log, [](auto& file) { return file.sync(); });
}

FileStateStore::Counters FileStateStore::counters() const {
    return {first_times_.keys().size(), ignored_.keys().size(), last_logs_.logs().size(),
            first_times_.keys().evicted() + ignored_.keys().evicted() + last_logs_.logs().evicted(),
            write_failures_};
}

}  // namespace portcullis::state
