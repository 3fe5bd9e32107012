// Seccomp: limits a process to the system calls that it needs (seccomp(2), by libseccomp).
//
// A daemon opens what it needs as root, drops its privileges and then calls allow_only(). From then
// on a call that is not in the list is not carried out: the kernel sends SIGSYS, whose handler
// writes one line and ends the process. Ending is better than EPERM: a program whose call fails
// without a reason continues in an untested state, and an attacker may try again. SIGSYS is better
// than SECCOMP_RET_KILL_PROCESS: the line says which call it was. An attacker who controls the
// process can change the handler, but the call is still refused. The kernel logs it too (audit,
// type 1326).
//
// The filter applies to all threads of the process and to its children, and cannot be removed. The
// handler has to reach the names of the calls, so they are static and not in an object.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.hpp"

namespace portcullis::base {

// False in builds with AddressSanitizer, ThreadSanitizer or LeakSanitizer, whose run-time libraries
// need further calls (clone, ptrace, personality). Callers then leave allow_only() out.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kCanLimitSystemCalls = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(leak_sanitizer) || __has_feature(memory_sanitizer)
inline constexpr bool kCanLimitSystemCalls = false;
#else
inline constexpr bool kCanLimitSystemCalls = true;
#endif
#else
inline constexpr bool kCanLimitSystemCalls = true;
#endif

// The call is allowed if the bits `mask` of argument `index` (from 0) are `value`.
struct CallArgument {
    unsigned index = 0;
    std::uint64_t mask = ~std::uint64_t{0};
    std::uint64_t value = 0;
};

// Several rows with one name allow the call if one of them does. A name that the processor's
// architecture does not have is skipped.
struct AllowedCall {
    std::string_view name;
    std::optional<CallArgument> argument{};
};

struct RefusedCall {
    int number = 0;
    std::string_view name;  // "?" = libseccomp does not know it
};

// Called in the signal handler before the process ends, so it must be async-signal-safe
// (signal-safety(7)): no allocation, no locks.
using RefusedCallReport = void (*)(const RefusedCall&);

// Limits all threads of this process to `allowed` and to the calls that ending needs (exit_group,
// rt_sigreturn, rt_sigaction, rt_sigprocmask, tgkill, getpid, gettid). `report` is called for a
// refused call; nullptr = write a line to standard error. Sets NoNewPrivs. Takes over SIGSYS. Error
// "seccomp": the kernel or libseccomp refused, or a name is unknown; then nothing is limited.
Result<void> allow_only(std::span<const AllowedCall> allowed, RefusedCallReport report = nullptr);

}  // namespace portcullis::base
