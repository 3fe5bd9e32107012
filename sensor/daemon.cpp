#include "sensor/daemon.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <charconv>
#include <string_view>

namespace portcullis {
namespace {

template <class Id>
bool parse_id(std::string_view text, Id& id) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

base::Result<base::PidFile> lock_pid_file(const std::string& path) {
    auto locked = base::PidFile::lock_before_fork(path);
    if (!locked && locked.error().code == "already-running") {
        locked.error().message =
            fmt::format("iplog is already running (pid: {})", base::running_pid(path).value_or(0));
    }
    return locked;
}

base::Result<base::Identity> find_identity(const std::string& user, const std::string& group) {
    base::Identity identity;
    if (!user.empty()) {
        uid_t uid = 0;
        // NOLINTNEXTLINE(concurrency-mt-unsafe): at the start there is one thread
        if (const passwd* entry = ::getpwnam(user.c_str())) {
            identity = {entry->pw_uid, entry->pw_gid};
        } else if (parse_id(user, uid)) {
            // NOLINTNEXTLINE(concurrency-mt-unsafe): at the start there is one thread
            const passwd* by_id = ::getpwuid(uid);
            identity = {uid, by_id != nullptr ? by_id->pw_gid : uid};
        } else {
            return base::fail("unknown-user", fmt::format("Unknown user: \"{}\"", user));
        }
    }
    if (!group.empty()) {
        gid_t gid = 0;
        // NOLINTNEXTLINE(concurrency-mt-unsafe): at the start there is one thread
        if (const ::group* entry = ::getgrnam(group.c_str())) {
            identity.group = entry->gr_gid;
        } else if (parse_id(group, gid)) {
            identity.group = gid;
        } else {
            return base::fail("unknown-group", fmt::format("Unknown group: \"{}\"", group));
        }
    }
    return identity;
}

}  // namespace portcullis
