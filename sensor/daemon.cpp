#include "sensor/daemon.hpp"

#include <cap-ng.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace portcullis {
namespace {

template <class Id>
bool parse_id(std::string_view text, Id& id) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

// Leaves alone what is permitted; false = the kernel refused.
bool set_raw_in_effect(bool on) {
    capng_get_caps_process();
    if (on && capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW) == 0) {
        return false;
    }
    capng_update(on ? CAPNG_ADD : CAPNG_DROP, CAPNG_EFFECTIVE, CAP_NET_RAW);
    return capng_apply(CAPNG_SELECT_CAPS) == 0;
}

}  // namespace

base::Result<base::PidFile> lock_pid_file(const std::string& path) {
    auto locked = base::PidFile::lock_before_fork(path);
    const int error = errno;
    if (!locked) {
        locked.error().message =
            locked.error().code == "already-running"
                ? fmt::format("iplog is already running (pid: {})",
                              base::running_pid(path).value_or(0))
                : fmt::format("Can't open pid file: {}", base::error_text(error));
    }
    return locked;
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
            return base::fail("unknown-user", fmt::format("Unknown user: \"{}\"", user));
        }
    }
    if (!group.empty()) {
        identity.changes_group = true;
        // NOLINTNEXTLINE(concurrency-mt-unsafe): at the start there is one thread
        if (const ::group* entry = ::getgrnam(group.c_str())) {
            identity.group = entry->gr_gid;
        } else if (!parse_id(group, identity.group)) {
            return base::fail("unknown-group", fmt::format("Unknown group: \"{}\"", group));
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
        return base::fail("privileges",
                          fmt::format("cannot give up privileges (libcap-ng: {})", result));
    }
    return {};
}

RawPrivilege::RawPrivilege() { set_raw_in_effect(true); }
RawPrivilege::~RawPrivilege() { set_raw_in_effect(false); }

}  // namespace portcullis
