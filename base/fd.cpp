#include "base/fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "base/utf8.hpp"

namespace portcullis::base {
namespace {

tl::unexpected<Diagnostic> file_error(std::string code, std::string_view verb,
                                      const std::string& path, int error) {
    return fail(std::move(code), "cannot " + std::string(verb) + " the file: " + error_text(error),
                {path});
}

bool others_can_write(const std::string& folder) {
    struct stat status {};
    return ::stat(folder.empty() ? "." : folder.c_str(), &status) != 0 || status.st_uid != 0 ||
           (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

}  // namespace

void UniqueFd::reset(int fd) {
    if (fd_ >= 0) {
        ::close(fd_);
    }
    fd_ = fd;
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        return file_error("unreadable-file", "read", path, errno);
    }
    if (S_ISFIFO(status.st_mode)) {
        auto error = file_error("unreadable-file", "read", path, 0);
        error.value().message = "cannot read the file: it is a pipe";
        return error;
    }
    std::string content;
    std::array<char, 65536> buffer;
    while (content.size() < limit) {
        const ssize_t got =
            ::read(fd.get(), buffer.data(), std::min(buffer.size(), limit - content.size()));
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return file_error("unreadable-file", "read", path, errno);
        }
        if (got == 0) {
            return content;
        }
        content.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return content;
}

Result<std::string> read_text_file(const std::string& path, std::size_t limit) {
    auto text = read_file(path, limit);
    if (text && text->starts_with(kByteOrderMark)) {
        text->erase(0, kByteOrderMark.size());
    }
    return text;
}

UniqueFd open_for_append(const std::string& path, int mode) {
    const bool is_exposed =
        ::geteuid() == 0 && others_can_write(std::filesystem::path(path).parent_path().string());
    const int follow = is_exposed ? O_NOFOLLOW : 0;
    // O_NONBLOCK: a FIFO without a reader is an error (ENXIO), instead of a wait.
    return UniqueFd(::open(path.c_str(),
                           O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | follow,
                           static_cast<mode_t>(mode)));
}

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

Result<void> write_file_atomically(const std::string& path, std::string_view content, int mode,
                                   Durability durability) {
    const bool wait_for_disk = durability == Durability::Machine;
    const std::string temporary = path + ".new";
    {
        // A file of this name is left over from a crash, or a link that somebody placed there.
        ::unlink(temporary.c_str());
        const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                                 static_cast<mode_t>(mode)));
        if (!fd || !write_all(fd.get(), content) || (wait_for_disk && ::fsync(fd.get()) != 0)) {
            const int error = errno;
            ::unlink(temporary.c_str());
            return file_error("unwritable-file", "write", path, error);
        }
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        const int error = errno;
        ::unlink(temporary.c_str());
        return file_error("unwritable-file", "replace", path, error);
    }
    if (!wait_for_disk) {
        return {};
    }
    const auto folder = std::filesystem::path(path).parent_path();
    const UniqueFd directory(
        ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory) {
        ::fsync(directory.get());  // best effort: some file systems refuse it
    }
    return {};
}

}  // namespace portcullis::base
