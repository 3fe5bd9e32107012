#include "base/privileges.hpp"

#include <cap-ng.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "base/fd.hpp"

namespace portcullis::base {
namespace {

constexpr std::size_t kMaxEntry = 16'384;  // of the user database, in bytes

// Leaves alone what is permitted. False = the kernel refused, or it is not permitted.
bool set_in_effect(int capability, bool is_in_effect) {
    const auto number = static_cast<unsigned>(capability);
    capng_get_caps_process();
    if (is_in_effect && capng_have_capability(CAPNG_PERMITTED, number) == 0) {
        return false;
    }
    capng_update(is_in_effect ? CAPNG_ADD : CAPNG_DROP, CAPNG_EFFECTIVE, number);
    return capng_apply(CAPNG_SELECT_CAPS) == 0;
}

tl::unexpected<Diagnostic> error(std::string code, std::string message, std::string hint = {}) {
    Diagnostic diagnostic = make_error(std::move(code), std::move(message));
    diagnostic.hint = std::move(hint);
    return fail(std::move(diagnostic));
}

}  // namespace

Result<Account> find_account(const std::string& name) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(kMaxEntry);
    const int result = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr) {
        return error("unknown-user",
                     "there is no user \"" + name + "\"" +
                         (result != 0 ? ": " + error_text(result) : std::string()),
                     "create it (useradd --system --shell /usr/sbin/nologin " + name +
                         "), or choose another one with -u");
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

Result<void> drop_to(const Account& account) {
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

Result<void> drop_to_keeping(const Identity& identity, int capability) {
    if (::geteuid() != 0) {
        set_in_effect(capability, false);
        return {};
    }
    capng_clear(CAPNG_SELECT_BOTH);
    const auto kept = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
    capng_update(CAPNG_ADD, kept, static_cast<unsigned>(capability));
    const int result =
        identity.user || identity.group
            ? capng_change_id(
                  identity.user ? static_cast<int>(*identity.user) : -1,
                  identity.group ? static_cast<int>(*identity.group) : -1,
                  static_cast<capng_flags_t>(CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING))
            : capng_apply(CAPNG_SELECT_BOTH);
    if (result != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        !set_in_effect(capability, false)) {
        return fail("privileges",
                    "cannot give up privileges (libcap-ng: " + std::to_string(result) + ")");
    }
    return {};
}

CapabilityInEffect::CapabilityInEffect(int capability) : capability_(capability) {
    set_in_effect(capability_, true);
}
CapabilityInEffect::~CapabilityInEffect() { set_in_effect(capability_, false); }

Result<void> make_folder_for(const std::string& path, const Account& account) {
    if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) {
        return error("unwritable-file",
                     "cannot make the folder " + path + ": " + error_text(errno));
    }
    const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!folder || ::fstat(folder.get(), &status) != 0) {
        return error("unwritable-file", "cannot use the folder " + path + ": " + error_text(errno));
    }
    if (::geteuid() == 0 && status.st_uid != account.uid &&
        ::fchown(folder.get(), account.uid, account.gid) != 0) {
        return error("unwritable-file", "cannot give the folder " + path + " to " + account.name +
                                            ": " + error_text(errno));
    }
    return {};
}

}  // namespace portcullis::base
