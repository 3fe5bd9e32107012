// FilePosition: where reading of a file continues, and how the file is recognised.
//
// A path does not identify a file (rotation), nor does an inode number (it is reused after a
// delete) or a size (a file can be emptied and grow beyond it). So a position also has a digest of
// the file's first bytes and of the last bytes that were read.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace portcullis::collect {

struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    auto operator<=>(const FileIdentity&) const = default;
};

// The identity of the file that `path` leads to, through symbolic links; nullopt = none (errno says
// why).
std::optional<FileIdentity> identity_of_path(const std::string& path);

// Bytes of each digest, at most.
inline constexpr std::size_t kDigestedBytes = 64;

struct Digest {
    std::size_t length = 0;
    std::uint64_t hash = 0;
    bool operator==(const Digest&) const = default;
};

// FNV-1a, 64 bit.
Digest digest_of(std::string_view bytes);

struct FilePosition {
    FileIdentity file;
    std::uint64_t offset = 0;   // first byte that was not handed out
    std::uint64_t read_to = 0;  // >= offset: between the two is an incomplete record
    Digest head;                // of the first bytes of the file
    Digest tail;                // of the bytes before read_to
    bool operator==(const FilePosition&) const = default;
};

}  // namespace portcullis::collect
