#include "base/daemonize.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace portcullis::base {
namespace {

tl::unexpected<Diagnostic> cannot_fork(int error) {
    return fail("cannot-fork", "cannot go into the background: " + error_text(error));
}

// Waits for the child's byte; _exit: nothing of the child's state may be flushed or undone twice.
[[noreturn]] void wait_for_child(int from_child) {
    char byte = 0;
    ssize_t got = 0;
    do {
        got = ::read(from_child, &byte, 1);
    } while (got < 0 && errno == EINTR);
    ::_exit(got == 1 ? 0 : 1);
}

}  // namespace

Result<Daemonizer> Daemonizer::start() {
    std::array<int, 2> ends{};
    // A socket: send() can be asked not to raise SIGPIPE if the parent was killed.
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return cannot_fork(errno);
    }
    UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) {
        return cannot_fork(errno);
    }
    if (child > 0) {
        write_end.reset();
        wait_for_child(read_end.get());
    }
    ::setsid();
    if (::chdir("/") != 0) {
        return cannot_fork(errno);
    }
    return Daemonizer(std::move(write_end));
}

void Daemonizer::ready() {
    if (!to_parent_) {
        return;
    }
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (null) {
        for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
            ::dup2(null.get(), fd);
        }
    }
    ::send(to_parent_.get(), "1", 1, MSG_NOSIGNAL);
    to_parent_.reset();
}

}  // namespace portcullis::base
