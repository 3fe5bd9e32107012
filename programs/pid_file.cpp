#include "programs/pid_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace portcullis::programs {
namespace {

tl::unexpected<base::Diagnostic> cannot(const std::string& verb, const std::string& path,
                                        int error) {
    return base::fail("unwritable-file",
                      "cannot " + verb + " the pid file: " + base::error_text(error), {path});
}

struct flock whole_file(short type) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

std::optional<pid_t> holder_of(int fd) {
    // A read lock conflicts with the daemon's write lock and needs no more than a readable file.
    struct flock lock = whole_file(F_RDLCK);
    if (::fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) {
        return std::nullopt;
    }
    return lock.l_pid;
}

}  // namespace

base::Result<PidFile> PidFile::lock(const std::string& path) {
    // Not readable for others: whoever can read it can hold a lock on it, and nothing would start.
    base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!fd) {
        return cannot("open", path, errno);
    }
    ::fchmod(fd.get(), 0640);  // one that was there before
    struct flock lock = whole_file(F_WRLCK);
    if (::fcntl(fd.get(), F_SETLK, &lock) != 0) {
        const int error = errno;
        if (error == EACCES || error == EAGAIN) {
            const auto holder = holder_of(fd.get());
            auto diagnostic = base::make_error(
                "already-running",
                "another instance runs in this home" +
                    (holder ? " (process " + std::to_string(*holder) + ")" : std::string()),
                {path});
            diagnostic.hint = "stop it first: portcullis-control stop";
            return base::fail(std::move(diagnostic));
        }
        return cannot("lock", path, error);
    }
    const std::string text = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd.get(), 0) != 0 || !base::write_all(fd.get(), text)) {
        return cannot("write", path, errno);
    }
    return PidFile(std::move(fd));
}

PidFile::~PidFile() {
    if (fd_ && ::ftruncate(fd_.get(), 0) != 0) {
        // The text is for people only; the lock goes all the same.
    }
}

std::optional<pid_t> running_pid(const std::string& path) {
    const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return std::nullopt;
    }
    return holder_of(fd.get());
}

}  // namespace portcullis::programs
