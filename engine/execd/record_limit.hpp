// RecordLimit: a RecordSink in front of another one. It limits the records that clients and forged
// packets can cause.
//
// These records are limited per minute, by number and by bytes:
// - records without an effect: deferred, refused, spared, expired, reported, unchanged;
// - records about a ban that exists already;
// - records about clients that may not ask, for each uid and for all of them together.
// Records beyond a limit are counted, and a summary with the number of each outcome is written once
// a minute. Other records are always written: those of new bans, which BanPolicy limits, and those
// of root's requests, unless they are refused. Single-threaded.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "engine/execd/records.hpp"

namespace portcullis::execd {

class RecordLimit final : public RecordSink {
  public:
    struct Limits {
        int records = 600;                 // about requests of the engine
        std::size_t bytes = 512UL * 1024;  // of these, in both files together
        int records_of_uid = 20;           // about messages that one uid may not send
        int records_of_uids = 100;         // of all uids together
        std::size_t bytes_of_uids = 64UL * 1024;
    };

    // `sink` must outlive this.
    explicit RecordLimit(RecordSink& sink) : RecordLimit(sink, Limits()) {}
    RecordLimit(RecordSink& sink, Limits limits) : sink_(sink), limits_(limits) {}
    // Writes the pending summary.
    ~RecordLimit() override;
    RecordLimit(const RecordLimit&) = delete;
    RecordLimit& operator=(const RecordLimit&) = delete;

    void write(const Record& record) override;
    // `now` may be earlier than before, if the clock was set back.
    void tick(base::Timestamp now) override;
    std::optional<base::Timestamp> next_due() const override;

  private:
    struct Count {
        int records = 0;
        std::size_t bytes = 0;
    };
    bool admit_and_count(const Record& record);
    void write_summary(base::Timestamp now);

    RecordSink& sink_;
    Limits limits_;
    std::optional<base::Timestamp> begin_;  // of the current minute
    base::Timestamp last_;                  // time of the last record
    Count of_engine_;
    Count of_uids_;
    std::map<uid_t, int> of_uid_;  // records written of each; bounded by records_of_uids
    std::map<Outcome, std::uint64_t> left_out_;
    std::map<uid_t, std::uint64_t> left_out_of_uid_;  // of the first kMaxNamedUids uids
};

}  // namespace portcullis::execd
