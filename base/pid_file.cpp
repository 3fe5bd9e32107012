#include "base/pid_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>

namespace portcullis::base {
namespace {

tl::unexpected<Diagnostic> cannot(const char* verb, const std::string& path) {
    const int error = errno;
    auto failed =
        fail("unwritable-file",
             std::string("cannot ") + verb + " the pid file: " + error_text(error), {path});
    errno = error;
    return failed;
}

struct flock whole_file(short type) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

std::optional<pid_t> pid_in(int fd) {
    std::array<char, 32> text{};
    const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
    pid_t pid = 0;
    if (size > 0) {
        std::from_chars(text.data(), text.data() + size, pid);
    }
    return pid > 0 ? std::optional(pid) : std::nullopt;
}

// The holder empties the file as soon as it has the lock: the text of a locked file is its own.
std::optional<pid_t> holder_of(int fd) {
    // A read lock conflicts with the daemon's write lock and needs no more than a readable file.
    struct flock lock = whole_file(F_RDLCK);
    if (::fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) {
        return std::nullopt;
    }
    return pid_in(fd);
}

}  // namespace

Result<PidFile> PidFile::lock_before_fork(const std::string& path) {
    // Not readable for others: a process that can read it can hold a lock on it, and then no
    // daemon would start.
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!fd) {
        return cannot("open", path);
    }
    ::fchmod(fd.get(), 0640);  // one that was there before
    struct flock lock = whole_file(F_WRLCK);
    if (::fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
        if (errno != EACCES && errno != EAGAIN) {
            return cannot("lock", path);
        }
        const auto holder = holder_of(fd.get());
        auto diagnostic =
            make_error("already-running",
                       "another instance runs in this home" +
                           (holder ? " (process " + std::to_string(*holder) + ")" : std::string()),
                       {path});
        diagnostic.hint = "stop it first: portcullis-control stop";
        return fail(std::move(diagnostic));
    }
    if (::ftruncate(fd.get(), 0) != 0) {
        return cannot("write", path);
    }
    return PidFile(path, std::move(fd));
}

Result<PidFile> PidFile::lock(const std::string& path) {
    auto locked = lock_before_fork(path);
    if (locked && !locked->write_pid()) {
        return cannot("write", path);
    }
    return locked;
}

bool PidFile::write_pid() {
    return ::ftruncate(fd_.get(), 0) == 0 && ::lseek(fd_.get(), 0, SEEK_SET) == 0 &&
           write_all(fd_.get(), std::to_string(::getpid()) + "\n");
}

void PidFile::remove() {
    const bool is_empty = ::ftruncate(fd_.get(), 0) == 0;
    const bool is_gone = ::unlink(path_.c_str()) == 0;
    if (is_empty || is_gone) {
        fd_.reset();
    }
}

PidFile::~PidFile() {
    if (fd_ && ::ftruncate(fd_.get(), 0) != 0) {
        // The lock ends anyway, and without it the text has no meaning.
    }
}

std::optional<pid_t> running_pid(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return fd ? holder_of(fd.get()) : std::nullopt;
}

}  // namespace portcullis::base
