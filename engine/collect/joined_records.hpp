// RecordReaders of formats whose records are made of several lines, or of a line and what is known
// of its file (spec: logcollector, section 5).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "engine/collect/record_reader.hpp"

namespace portcullis::collect {

// Cuts lines and keeps account of those that a format holds back; formats say what becomes of each.
// Of a line longer than kMaxRecord the rest is left out.
class JoiningReader : public RecordReader {
  public:
    void feed(std::string_view bytes, const RecordHandler& handler) final;
    std::size_t pending() const final { return held_bytes_ + partial_bytes_; }
    void finish(const RecordHandler& handler) final;

  protected:
    // A complete line, without its newline. True = what the lines since the last record say is held
    // back; false = nothing of them is needed any more.
    virtual bool take_line(std::string_view line, const RecordHandler& handler) = 0;
    // Hands out what is held back, complete or not.
    virtual void flush(const RecordHandler& handler) = 0;

    // In pieces of kMaxRecord at most.
    static void hand_out(std::string_view record, const RecordHandler& handler);

  private:
    void end_line(const RecordHandler& handler);

    std::string partial_;  // the line so far, at most kMaxRecord bytes
    std::size_t partial_bytes_ = 0;
    std::size_t held_bytes_ = 0;  // of complete lines
};

// "multi-line: N": N lines joined by blanks. A group that is not complete waits for its rest.
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
// folder. What has no such stamp is handed out as it is.
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

// MySQL's general log: "YYMMDD hh:mm:ss text"; lines that go on with two tabs and six blanks have
// the stamp of the line before, others are skipped.
class MysqlReader final : public JoiningReader {
  protected:
    bool take_line(std::string_view line, const RecordHandler& handler) override;
    void flush(const RecordHandler&) override {}

  private:
    std::string stamp_;  // "YYMMDD hh:mm:ss", of the last line that had one
};

// ModSecurity's serial audit log: from "--ID-A--" to "--ID-Z--" one record, joined by blanks. One
// of more than 96 lines is left out.
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
