#include "sensor/daemon.hpp"

#include <cap-ng.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace portcullis {
namespace {

base::Diagnostic diagnostic_of(std::string code, std::string message) {
    base::Diagnostic diagnostic;
    diagnostic.code = std::move(code);
    diagnostic.message = std::move(message);
    return diagnostic;
}

std::string error_text() { return std::generic_category().message(errno); }

pid_t pid_in(int fd) {
    std::array<char, 32> text{};
    const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
    pid_t pid = 0;
    if (size > 0) {
        std::from_chars(text.data(), text.data() + size, pid);
    }
    return pid;
}

template <class Id>
bool parse_id(std::string_view text, Id& id) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

// Does not change the permitted set. Returns false if the kernel refuses.
bool set_raw_in_effect(bool on) {
    capng_get_caps_process();
    if (on && capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW) == 0) {
        return false;
    }
    capng_update(on ? CAPNG_ADD : CAPNG_DROP, CAPNG_EFFECTIVE, CAP_NET_RAW);
    return capng_apply(CAPNG_SELECT_CAPS) == 0;
}

}  // namespace

base::Result<LockedPidFile> LockedPidFile::lock(const std::string& path) {
    // Not readable for others: a process that can open the file can lock it, and the sensor could
    // not start.
    base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) {
        return base::fail(
            diagnostic_of("unwritable-file", fmt::format("Can't open pid file: {}", error_text())));
    }
    ::fchmod(fd.get(), 0600);  // one that was there before
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return base::fail(
            diagnostic_of("already-running",
                          fmt::format("iplog is already running (pid: {})", pid_in(fd.get()))));
    }
    // Readers take the text of a locked file for the id of the process that holds the lock.
    if (::ftruncate(fd.get(), 0) != 0) {
        return base::fail(diagnostic_of("unwritable-file",
                                        fmt::format("Can't write pid file: {}", error_text())));
    }
    return LockedPidFile(path, std::move(fd));
}

void LockedPidFile::write(pid_t pid) {
    if (::ftruncate(fd_.get(), 0) == 0) {
        base::write_all(fd_.get(), fmt::format("{}\n", pid));
    }
}

void LockedPidFile::remove() {
    // The user that the process has become may have no access to the folder. An empty file means
    // the same.
    const bool is_empty = ::ftruncate(fd_.get(), 0) == 0;
    const bool is_gone = ::unlink(path_.c_str()) == 0;
    if (is_empty || is_gone) {
        fd_.reset();
    }
}

base::Result<pid_t> find_running(const std::string& path) {
    const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const bool is_free = !fd || ::flock(fd.get(), LOCK_SH | LOCK_NB) == 0;
    const pid_t pid = is_free ? 0 : pid_in(fd.get());
    if (pid <= 0) {
        return base::fail(
            diagnostic_of("not-running", fmt::format("no sensor is running by {}", path)));
    }
    return pid;
}

base::Result<Identity> find_identity(const std::string& user, const std::string& group) {
    Identity identity;
    if (!user.empty()) {
        identity.changes_user = true;
        identity.changes_group = true;
        // NOLINTNEXTLINE(concurrency-mt-unsafe): at the start there is one thread
        if (const passwd* entry = ::getpwnam(user.c_str())) {
            identity.user = entry->pw_uid;
            identity.group = entry->pw_gid;
        } else if (parse_id(user, identity.user)) {
            // NOLINTNEXTLINE(concurrency-mt-unsafe): at the start there is one thread
            const passwd* by_id = ::getpwuid(identity.user);
            identity.group = by_id != nullptr ? by_id->pw_gid : identity.user;
        } else {
            return base::fail(
                diagnostic_of("unknown-user", fmt::format("Unknown user: \"{}\"", user)));
        }
    }
    if (!group.empty()) {
        identity.changes_group = true;
        // NOLINTNEXTLINE(concurrency-mt-unsafe): at the start there is one thread
        if (const ::group* entry = ::getgrnam(group.c_str())) {
            identity.group = entry->gr_gid;
        } else if (!parse_id(group, identity.group)) {
            return base::fail(
                diagnostic_of("unknown-group", fmt::format("Unknown group: \"{}\"", group)));
        }
    }
    return identity;
}

base::Result<void> drop_privileges(const Identity& identity) {
    if (::geteuid() != 0) {
        set_raw_in_effect(false);
        return {};
    }
    capng_clear(CAPNG_SELECT_BOTH);
    const auto kept = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
    capng_update(CAPNG_ADD, kept, CAP_NET_RAW);
    const int result =
        identity.changes_user || identity.changes_group
            ? capng_change_id(
                  identity.changes_user ? static_cast<int>(identity.user) : -1,
                  identity.changes_group ? static_cast<int>(identity.group) : -1,
                  static_cast<capng_flags_t>(CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING))
            : capng_apply(CAPNG_SELECT_BOTH);
    if (result != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !set_raw_in_effect(false)) {
        return base::fail(diagnostic_of(
            "privileges", fmt::format("cannot give up privileges (libcap-ng: {})", result)));
    }
    return {};
}

RawPrivilege::RawPrivilege() { set_raw_in_effect(true); }
RawPrivilege::~RawPrivilege() { set_raw_in_effect(false); }

}  // namespace portcullis
