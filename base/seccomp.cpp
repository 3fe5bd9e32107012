#include "base/seccomp.hpp"

#include <fmt/format.h>
#include <seccomp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>

namespace portcullis::base {
namespace {

// Numbers of system calls are below this on all architectures that libseccomp knows without an
// offset (x86-64, arm64, riscv64); others are reported by number.
constexpr std::size_t kNamedCalls = 512;
constexpr std::size_t kLongestName = 32;

// Written before the filter is installed, read by the handler.
std::array<std::array<char, kLongestName>, kNamedCalls> call_names;
RefusedCallReport report_refused = nullptr;

// The calls that end the process from the handler.
constexpr std::array<AllowedCall, 8> kEnding{{{"exit_group"},
                                              {"exit"},
                                              {"rt_sigreturn"},
                                              {"rt_sigaction"},
                                              {"rt_sigprocmask"},
                                              {"tgkill"},
                                              {"getpid"},
                                              {"gettid"}}};

struct ReleaseFilter {
    void operator()(void* filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

void write_all_to_stderr(std::string_view text) {
    while (!text.empty()) {
        const ssize_t size = ::write(STDERR_FILENO, text.data(), text.size());
        if (size <= 0) {
            return;
        }
        text.remove_prefix(static_cast<std::size_t>(size));
    }
}

void report_on_stderr(const RefusedCall& call) {
    std::array<char, 16> digits{};
    const auto* end = std::to_chars(digits.data(), digits.data() + digits.size(), call.number).ptr;
    write_all_to_stderr("Fatal: the system call ");
    write_all_to_stderr(call.name);
    write_all_to_stderr(" (");
    write_all_to_stderr({digits.data(), static_cast<std::size_t>(end - digits.data())});
    write_all_to_stderr(") is not allowed (seccomp); the program ends\n");
}

void on_refused(int signal, siginfo_t* info, void* /*context*/) {
    RefusedCall call;
    call.number = info->si_syscall;
    const bool is_named = call.number >= 0 && static_cast<std::size_t>(call.number) < kNamedCalls &&
                          call_names[static_cast<std::size_t>(call.number)][0] != 0;
    call.name = is_named ? call_names[static_cast<std::size_t>(call.number)].data() : "?";
    report_refused(call);
    // The signal's default action ends the process as soon as the handler returns.
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    ::sigaction(signal, &action, nullptr);
    ::raise(signal);
}

void keep_names() {
    for (std::size_t number = 0; number < kNamedCalls; ++number) {
        const std::unique_ptr<char, decltype(&std::free)> name(
            ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number)),
            &std::free);
        const std::string_view text = name ? name.get() : "";
        call_names[number] = {};
        text.copy(call_names[number].data(), kLongestName - 1);
    }
}

tl::unexpected<Diagnostic> cannot_limit(std::string_view what, int error) {
    return fail("seccomp",
                fmt::format("cannot limit the system calls: {}: {}", what, error_text(error)));
}

Result<void> add_rule(scmp_filter_ctx filter, const AllowedCall& call) {
    const int number = ::seccomp_syscall_resolve_name(std::string(call.name).c_str());
    if (number == __NR_SCMP_ERROR) {
        return cannot_limit(fmt::format("unknown call {}", call.name), EINVAL);
    }
    int result = 0;
    if (call.argument) {
        const scmp_arg_cmp compare{call.argument->index, SCMP_CMP_MASKED_EQ, call.argument->mask,
                                   call.argument->value};
        result = ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &compare);
    } else {
        result = ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 0, nullptr);
    }
    // Negative: a call that other architectures have.
    if (result != 0 && number >= 0) {
        return cannot_limit(call.name, -result);
    }
    return {};
}

}  // namespace

Result<void> allow_only(std::span<const AllowedCall> allowed, RefusedCallReport report) {
    const Filter filter(::seccomp_init(SCMP_ACT_TRAP));
    if (!filter) {
        return cannot_limit("no filter", ENOMEM);
    }
    for (const std::span<const AllowedCall> calls :
         {std::span<const AllowedCall>(kEnding), allowed}) {
        for (const AllowedCall& call : calls) {
            if (auto added = add_rule(filter.get(), call); !added) {
                return added;
            }
        }
    }
    // The kernel's log line only helps people: the filter also works without it (Linux before
    // 4.14).
    static_cast<void>(::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_LOG, 1));
    if (const int result = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
        result != 0) {
        return cannot_limit("all threads", -result);
    }
    keep_names();
    report_refused = report != nullptr ? report : report_on_stderr;
    struct sigaction action {};
    action.sa_sigaction = on_refused;
    action.sa_flags = SA_SIGINFO;
    if (::sigaction(SIGSYS, &action, nullptr) != 0) {
        return cannot_limit("SIGSYS", errno);
    }
    if (const int result = ::seccomp_load(filter.get()); result != 0) {
        return cannot_limit("the kernel refuses", -result);
    }
    return {};
}

}  // namespace portcullis::base
