// DatedFile: one output stream in a file per day, with a name that always leads to today's file.
//
//   alerts/2026/Nov/ossec-alerts-24.log   ← hard link alerts/alerts.log
//
// Records are appended with one write(2) each and are readable when append() returns. Records that
// cannot be written (a full disk) are held back, up to kMaxHeldBack, and written first at the next
// call; beyond that, records are lost and counted. Never throws. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "engine/alert/local_time.hpp"

namespace portcullis::alert {

class DatedFile {
  public:
    static constexpr std::size_t kMaxHeldBack = 4 * 1024 * 1024;

    // `folder` must exist; folders for years and months are made below it (0750). `prefix` and
    // `extension` make "ossec-alerts-24.log", `current_name` is the link.
    DatedFile(std::string folder, std::string prefix, std::string extension,
              const std::string& current_name);

    // Opens today's file. Error "unwritable-file".
    base::Result<void> open(base::Timestamp now);
    // Appends `record` to the file of the day of `now`. On error the record is held back or lost.
    base::Result<void> append(std::string_view record, base::Timestamp now);
    // Tries again to write the records that are held back.
    base::Result<void> retry(base::Timestamp now);

    bool has_held_back() const { return !held_back_.empty(); }
    std::uint64_t lost_records() const { return lost_records_; }
    const std::string& current_path() const { return current_path_; }

  private:
    base::Result<void> link_current(const std::string& dated_path);
    void remove_if_empty() const;

    std::string folder_;
    std::string prefix_;
    std::string extension_;
    std::string current_path_;
    std::string dated_path_;
    std::optional<LocalDay> day_;
    base::UniqueFd fd_;
    std::string held_back_;
    std::uint64_t lost_records_ = 0;
};

}  // namespace portcullis::alert
