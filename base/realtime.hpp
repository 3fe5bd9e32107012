// Realtime: a daemon that must answer within a millisecond runs before ordinary programs, and never
// instead of them.
//
// A scan of 50 000 probes a second learns 50 ports in each millisecond that a woken daemon waits
// for the processor; an ordinary program may have to wait for a whole tick (4 ms). So the daemons
// take the lowest realtime priority (SCHED_FIFO 1). A flood of packets must not block this host by
// that: after kRealtimeStretch of processor time without a pause the kernel sends SIGXCPU
// (RLIMIT_RTTIME). The process then becomes an ordinary one, and is promoted again at a wake-up
// kRealtimePenalty later. Child processes and other threads start as ordinary ones.
//
// For the main thread of a process. The state belongs to the process, and a signal handler has to
// reach it, so it is static and not in an object.
#pragma once

#include <chrono>

namespace portcullis::base {

inline constexpr std::chrono::milliseconds kRealtimeStretch{20};
inline constexpr std::chrono::seconds kRealtimePenalty{1};

// Call it as root (CAP_SYS_NICE), before privileges are dropped: it sets a resource limit that
// allows an ordinary user the later promotions. Takes over SIGXCPU. The stretch is limited from the
// first resume_realtime() on, so a start may take longer. False = the system does not allow it (in
// some containers): the priority stays as it was.
bool become_realtime();

// Promotes the process again if its penalty is over. EventLoop calls it when it starts and at every
// wake-up; costs one load of an atomic when there is nothing to do.
void resume_realtime();

}  // namespace portcullis::base
