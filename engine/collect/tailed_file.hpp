// TailedFile: one open file and the position up to which it was read. It follows the file, not its
// name: renaming changes nothing, after a truncation it starts over.
//
// A byte order mark at the beginning of the content is not part of a record.
//
// Regular files are read with pread(2) from a position of our own; named pipes are read as they
// come and have no position.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "engine/collect/file_position.hpp"
#include "engine/collect/line_handler.hpp"
#include "engine/collect/record_reader.hpp"

namespace portcullis::collect {

// Change of the content since the last check.
enum class ContentChange {
    None,
    Replaced,  // truncated or rewritten: reading starts over at its first byte
};

class TailedFile {
  public:
    // Opens `path` with nothing read yet. Errors: "missing-file" (no such file), "unreadable-file"
    // (everything else, including directories and devices); the message says why.
    static base::Result<TailedFile> open(const std::string& path,
                                         std::unique_ptr<RecordReader> reader);

    // Moves to the end, or to the beginning of the last line if that has no newline yet.
    void skip_to_end();
    // Continues at `position`. False = this is not the file with that content; nothing was changed.
    bool resume(const FilePosition& position);

    // Call it before reading: detects that the content was replaced, and then hands out the rest of
    // the old content's last line.
    ContentChange check_content(const RecordHandler& handler);
    // Reads about `budget` bytes at most.
    ReadOutcome read(const RecordHandler& handler, std::size_t budget);
    // The file is complete: hands out the unfinished last record.
    void finish(const RecordHandler& handler);

    FileIdentity identity() const { return identity_; }
    FilePosition position() const;
    // By read(), since the file was opened.
    std::uint64_t bytes_read() const { return bytes_read_; }
    bool is_pipe() const { return is_pipe_; }
    int fd() const { return fd_.get(); }
    // Whether no name leads to it any longer.
    bool is_deleted() const;

  private:
    TailedFile(base::UniqueFd fd, FileIdentity identity, bool is_pipe,
               std::unique_ptr<RecordReader> reader);
    // The part of `bytes`, which are those at read_to_, that is for the reader.
    std::string_view skip_byte_order_mark(std::string_view bytes, const RecordHandler& handler);
    void note_read(std::string_view bytes);
    // Whether the file has `expected` (at most kDigestedBytes) at `offset`.
    bool holds(std::uint64_t offset, std::string_view expected) const;
    // The bytes of the file at `offset`, at most `length`.
    std::string peek(std::uint64_t offset, std::size_t length) const;

    base::UniqueFd fd_;
    FileIdentity identity_;
    bool is_pipe_ = false;
    std::unique_ptr<RecordReader> reader_;
    std::uint64_t read_to_ = 0;
    std::size_t held_back_ = 0;  // bytes at the beginning that may become a byte order mark
    std::uint64_t bytes_read_ = 0;
    std::string head_;  // the first bytes, at most kDigestedBytes
    std::string tail_;  // the last bytes before read_to_, at most kDigestedBytes
};

}  // namespace portcullis::collect
