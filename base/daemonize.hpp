// Daemonizer: puts a program into the background, and lets the command that started it wait until
// it is ready.
//
// The starting process exits 0 only when the daemon calls ready(), and 1 if the daemon ends before
// that. The terminal shows what the daemon prints until then.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

namespace portcullis::base {

class Daemonizer {
  public:
    // Forks; returns in the child only (a session of its own, "/" as its folder). Call it before
    // threads, locks and epoll descriptors exist. Error "cannot-fork".
    static Result<Daemonizer> start();

    // For a program that stays in the foreground: ready() does nothing.
    static Daemonizer foreground() { return Daemonizer(UniqueFd()); }

    // Lets the waiting parent exit with 0, and redirects standard output and error to /dev/null.
    void ready();

  private:
    explicit Daemonizer(UniqueFd to_parent) : to_parent_(std::move(to_parent)) {}
    UniqueFd to_parent_;
};

}  // namespace portcullis::base
