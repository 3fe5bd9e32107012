// RecordReaders of formats whose records consist of several lines, or of a line and the name of its
// file (spec: logcollector, section 5).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "engine/collect/record_reader.hpp"

namespace portcullis::collect {

// Cuts the bytes into lines and counts the lines that a format holds back; the format decides about
// each line. The rest of a line longer than kMaxRecord is skipped.
class JoiningReader : public RecordReader {
  public:
    void feed(std::string_view bytes, const RecordHandler& handler) final;
    std::size_t pending() const final { return held_bytes_ + partial_bytes_; }
    void finish(const RecordHandler& handler) final;

  protected:
    // Takes a complete line, without its newline. True = the lines since the last record are held
    // back; false = they are not needed any longer.
    virtual bool take_line(std::string_view line, const RecordHandler& handler) = 0;
    // Hands out the lines that are held back, complete or not.
    virtual void flush(const RecordHandler& handler) = 0;

    // In pieces of kMaxRecord at most.
    static void hand_out(std::string_view record, const RecordHandler& handler);

  private:
    void end_line(const RecordHandler& handler);

    std::string partial_;  // the line so far, at most kMaxRecord bytes
    std::size_t partial_bytes_ = 0;
    std::size_t held_bytes_ = 0;  // of complete lines
};

// "multi-line: N": N lines joined by blanks. An incomplete group waits for its other lines.
class MultiLineReader final : public JoiningReader {
  public:
    explicit MultiLineReader(std::size_t line_count) : line_count_(line_count) {}

  protected:
    bool take_line(std::string_view line, const RecordHandler& handler) override;
    void flush(const RecordHandler& handler) override;

  private:
    // Longer groups are handed out as they are, so that memory is bounded.
    static constexpr std::size_t kMaxGroup = std::size_t{64} * 1024;

    std::size_t line_count_;
    std::size_t lines_ = 0;
    std::string group_;
};

// snort's full alerts: a title, a classification and a line with a date become one record. Lines
// around them are skipped.
class SnortFullReader final : public JoiningReader {
  protected:
    bool take_line(std::string_view line, const RecordHandler& handler) override;
    void flush(const RecordHandler& handler) override;

  private:
    enum class Expected { Title, Classification, Packet };
    Expected expected_ = Expected::Title;
    std::string record_;
};

// multilog of daemontools: "@4000000…" (TAI64N) and the message; the program is the name of the
// folder. A line without such a stamp is handed out as it is.
class MultilogReader final : public JoiningReader {
  public:
    // `path` ends in "/PROGRAM/current".
    MultilogReader(std::string_view path, std::string host);

  protected:
    bool take_line(std::string_view line, const RecordHandler& handler) override;
    void flush(const RecordHandler&) override {}

  private:
    std::string host_;
    std::string program_;
};

// MySQL's general log: "YYMMDD hh:mm:ss text". A line that begins with two tabs and six blanks has
// the stamp of the line before; other lines are skipped.
class MysqlReader final : public JoiningReader {
  protected:
    bool take_line(std::string_view line, const RecordHandler& handler) override;
    void flush(const RecordHandler&) override {}

  private:
    std::string stamp_;  // "YYMMDD hh:mm:ss", of the last line that had one
};

// ModSecurity's serial audit log: from "--ID-A--" to "--ID-Z--" one record, joined by blanks. A
// record with more than 96 lines is skipped.
class ModsecurityReader final : public JoiningReader {
  protected:
    bool take_line(std::string_view line, const RecordHandler& handler) override;
    void flush(const RecordHandler& handler) override;

  private:
    static constexpr std::size_t kMaxLines = 96;

    std::string end_;  // "--ID-Z--" of the record that is open; empty = none is
    std::string record_;
    std::size_t lines_ = 0;
};

}  // namespace portcullis::collect
