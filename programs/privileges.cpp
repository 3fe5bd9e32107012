#include "programs/privileges.hpp"

#include <cap-ng.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "base/capabilities.hpp"
#include "base/fd.hpp"

namespace portcullis::programs {
namespace {

constexpr std::size_t kMaxEntry = 16'384;  // of the user database, in bytes

tl::unexpected<base::Diagnostic> error(std::string code, std::string message,
                                       std::string hint = {}) {
    base::Diagnostic diagnostic = base::make_error(std::move(code), std::move(message));
    diagnostic.hint = std::move(hint);
    return base::fail(std::move(diagnostic));
}

}  // namespace

base::Result<Account> find_account(const std::string& name) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(kMaxEntry);
    const int result = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr) {
        return error("unknown-user",
                     "there is no user \"" + name + "\"" +
                         (result != 0 ? ": " + base::error_text(result) : std::string()),
                     "create it (useradd --system --shell /usr/sbin/nologin " + name +
                         "), or name another with -u");
    }
    return Account{name, found->pw_uid, found->pw_gid};
}

Account current_account() {
    Account account{std::to_string(::geteuid()), ::geteuid(), ::getegid()};
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(kMaxEntry);
    if (::getpwuid_r(account.uid, &entry, buffer.data(), buffer.size(), &found) == 0 &&
        found != nullptr) {
        account.name = found->pw_name;
    }
    return account;
}

base::Result<void> drop_to(const Account& account) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::geteuid() == account.uid) {
        return {};
    }
    if (::geteuid() != 0) {
        return error("cannot-change-user",
                     "only root can become the user \"" + account.name + "\"");
    }
    capng_clear(CAPNG_SELECT_BOTH);
    const int result =
        capng_change_id(static_cast<int>(account.uid), static_cast<int>(account.gid),
                        static_cast<capng_flags_t>(CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING));
    if (result != 0) {
        return error("cannot-change-user", "cannot become the user \"" + account.name +
                                               "\" (capng_change_id: " + std::to_string(result) +
                                               ")");
    }
    return {};
}

base::Result<void> limit_execd(Scripts scripts) {
    std::vector<int> kept{CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_NICE};
    if (scripts == Scripts::Some) {
        kept.insert(kept.end(), {CAP_NET_RAW, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
                                 CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_AUDIT_WRITE});
    }
    return base::keep_capabilities(kept);
}

base::Result<void> make_folder_for(const std::string& path, const Account& account) {
    if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) {
        return error("unwritable-file",
                     "cannot make the folder " + path + ": " + base::error_text(errno));
    }
    const base::UniqueFd folder(
        ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!folder || ::fstat(folder.get(), &status) != 0) {
        return error("unwritable-file",
                     "cannot use the folder " + path + ": " + base::error_text(errno));
    }
    if (::geteuid() == 0 && status.st_uid != account.uid &&
        ::fchown(folder.get(), account.uid, account.gid) != 0) {
        return error("unwritable-file", "cannot give the folder " + path + " to " + account.name +
                                            ": " + base::error_text(errno));
    }
    return {};
}

}  // namespace portcullis::programs
