// ProcessEvents: the kernel's reports of processes that start, fork and end (the proc connector,
// linux/cn_proc.h).
//
// The kernel queues an event before the process runs its next instruction: fork(2) before the child
// is woken, execve(2) before the new program begins. So the start of a process is in the queue
// before that process can do anything. Events of threads are left out. Single-threaded.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>

#include "base/fd.hpp"

namespace portcullis::execd {

struct ProcessEvent {
    enum class Kind { Fork, Exec, Exit };
    Kind kind = Kind::Exit;
    pid_t process = 0;
    pid_t child = 0;  // of Fork
};

class ProcessEvents {
  public:
    // nullopt = the kernel does not report events, at least not to us: in a container, in a network
    // namespace of our own, or without CAP_NET_ADMIN.
    static std::optional<ProcessEvents> open();

    // Readable when there are events.
    int fd() const { return fd_.get(); }

    // Calls `on_event` for all queued events, in their order. Returns false if some are missing,
    // since the queue was full.
    bool drain(const std::function<void(const ProcessEvent&)>& on_event);

  private:
    explicit ProcessEvents(base::UniqueFd fd) : fd_(std::move(fd)) {}
    base::UniqueFd fd_;
};

}  // namespace portcullis::execd
