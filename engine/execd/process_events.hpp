// ProcessEvents: which processes of the host start, fork and end, as the kernel tells it (the proc
// connector, linux/cn_proc.h).
//
// The kernel queues an event here before the process that it is about runs its next instruction:
// fork(2) tells before the child is woken, execve(2) before the new program begins. So whatever any
// program has done so far, the start of its process is in the queue already. Threads are left out.
// Single-threaded.
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
    // nullopt = this kernel does not tell, or not us: in a container, in a
    // network namespace of our own, or without CAP_NET_ADMIN.
    static std::optional<ProcessEvents> open();

    // Readable when there are events.
    int fd() const { return fd_.get(); }

    // Calls `on_event`, in their order, for all events up to this moment. false = some are missing,
    // since the queue was full.
    bool drain(const std::function<void(const ProcessEvent&)>& on_event);

  private:
    explicit ProcessEvents(base::UniqueFd fd) : fd_(std::move(fd)) {}
    base::UniqueFd fd_;
};

}  // namespace portcullis::execd
