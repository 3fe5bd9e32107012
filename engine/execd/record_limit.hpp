// RecordLimit: a RecordSink in front of another one that bounds what clients, and packets that
// anybody can forge, make execd write.
//
// Bounded within each minute, by number and by bytes: records without an effect (deferred,
// refused, spared, expired, reported, unchanged), records about a ban that is there already, and,
// of each uid apart and of all of them together, records about clients that may not ask. What has
// no room is counted, and once a minute one record says how many there were of each outcome.
// Records of effects on addresses that were not banned before are written in any case (the limits
// of bans bound them), as are those of root's requests, if they are not refused. Single-threaded.
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
    // Writes the summary that is due later.
    ~RecordLimit() override;
    RecordLimit(const RecordLimit&) = delete;
    RecordLimit& operator=(const RecordLimit&) = delete;

    void write(const Record& record) override;
    // REQUIRES: the time of the clock, which may have been set back.
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
    std::optional<base::Timestamp> begin_;  // of the minute that is counted
    base::Timestamp last_;                  // time of the last record
    Count of_engine_;
    Count of_uids_;
    std::map<uid_t, int> of_uid_;  // records written of each; bounded by records_of_uids
    std::map<Outcome, std::uint64_t> left_out_;
    std::map<uid_t, std::uint64_t> left_out_of_uid_;  // of the first few uids
};

}  // namespace portcullis::execd
