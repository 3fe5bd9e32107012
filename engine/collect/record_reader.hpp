// RecordReader: the seam that a log format implements: bytes in, records out.
//
// One per open file; sees the file's bytes in order and without gaps. pending() counts the bytes of
// an incomplete record, which are held back, so that a restart continues at its beginning. Memory
// is bounded by kMaxRecord for every content.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace portcullis::collect {

// A longer line becomes several records, as in OSSEC: 6144 bytes of a message less its header
// (spec: logcollector, section 4).
inline constexpr std::size_t kMaxRecord = 5887;

using RecordHandler = std::function<void(std::string_view record)>;

class RecordReader {
  public:
    virtual ~RecordReader() = default;
    virtual void feed(std::string_view bytes, const RecordHandler& handler) = 0;
    // Bytes fed but not yet handed out: the incomplete record at the end.
    virtual std::size_t pending() const = 0;
    // No more bytes follow: hands out the incomplete record and starts anew.
    virtual void finish(const RecordHandler& handler) = 0;
};

// One line = one record (syslog and similar formats). Lines end with LF; CR, NUL and bytes that are
// not text are kept. A last line without LF is held back until its rest arrives.
class LineReader final : public RecordReader {
  public:
    void feed(std::string_view bytes, const RecordHandler& handler) override;
    std::size_t pending() const override { return partial_.size(); }
    void finish(const RecordHandler& handler) override;

  private:
    std::string partial_;  // the line so far; at most kMaxRecord bytes
};

}  // namespace portcullis::collect
