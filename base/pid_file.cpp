#include "base/pid_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace portcullis::base {
namespace {

tl::unexpected<Diagnostic> cannot(const char* verb, const std::string& path) {
    return fail("unwritable-file",
                std::string("cannot ") + verb + " the pid file: " + error_text(errno), {path});
}

// The bytes that are locked.
constexpr off_t kInstance = 0;
constexpr off_t kProcess = 1;

struct flock lock_of(short type, off_t byte) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = byte;
    lock.l_len = 1;
    return lock;
}

std::optional<pid_t> holder_of(int fd) {
    // A read lock conflicts with the daemon's write lock and needs no more than a readable file.
    struct flock lock = lock_of(F_RDLCK, kProcess);
    if (::fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK || lock.l_pid <= 0) {
        return std::nullopt;
    }
    return lock.l_pid;
}

// Whether `path` still leads to the open file: another process may have removed it before it was
// locked.
bool is_at(const std::string& path, int fd) {
    struct stat opened {};
    struct stat named {};
    return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

Result<PidFile> PidFile::lock_before_fork(const std::string& path) {
    // Not readable for others: a process that can read it can hold a lock on it, and then no
    // daemon would start.
    constexpr mode_t kMode = 0600;
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
    if (!fd) {
        return cannot("open", path);
    }
    ::fchmod(fd.get(), kMode);  // one that was there before
    struct flock lock = lock_of(F_WRLCK, kInstance);
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
    if (!is_at(path, fd.get())) {
        fd.reset();
        return lock_before_fork(path);
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
    struct flock lock = lock_of(F_WRLCK, kProcess);
    return ::fcntl(fd_.get(), F_SETLK, &lock) == 0 && ::ftruncate(fd_.get(), 0) == 0 &&
           ::lseek(fd_.get(), 0, SEEK_SET) == 0 &&
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
        // The locks end anyway, and the text is for people.
    }
}

std::optional<pid_t> running_pid(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return fd ? holder_of(fd.get()) : std::nullopt;
}

}  // namespace portcullis::base
