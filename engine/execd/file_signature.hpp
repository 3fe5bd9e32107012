// FileSignature: shows whether a file has changed, without reading it.
//
// It is made by stat(2), since inotify does not follow files that are replaced through symbolic
// links.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace portcullis::execd {

struct FileSignature {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = -1;    // -1 = there is no such file
    std::int64_t changed = 0;  // nanoseconds
    bool operator==(const FileSignature&) const = default;
};

inline FileSignature signature_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        return {};
    }
    return {status.st_dev, status.st_ino, status.st_size,
            status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

}  // namespace portcullis::execd
