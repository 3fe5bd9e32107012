// Accounts, and giving up root. Called once, before threads exist and before anything hostile is
// read.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.hpp"

namespace portcullis::base {

struct Account {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    bool is_root() const { return uid == 0; }
};

// Error "unknown-user".
Result<Account> find_account(const std::string& name);
// The account of this process (effective ids).
Account current_account();

// Becomes `account`, with its supplementary groups and without any capability, for good. A process
// that is not root must be that account already; root that becomes root keeps all capabilities.
// Error "cannot-change-user".
Result<void> drop_to(const Account& account);

// The ids that a process takes on; nullopt = it keeps its own.
struct Identity {
    std::optional<uid_t> user;
    std::optional<gid_t> group;
};

// Becomes `identity` without supplementary groups, for good, and keeps `capability` alone:
// permitted, but not in effect (see CapabilityInEffect). A process that is not root only takes it
// out of effect. Error "privileges".
Result<void> drop_to_keeping(const Identity& identity, int capability);

// `capability` is in effect while this lives, if it is permitted.
class CapabilityInEffect {
  public:
    explicit CapabilityInEffect(int capability);
    ~CapabilityInEffect();
    CapabilityInEffect(const CapabilityInEffect&) = delete;
    CapabilityInEffect& operator=(const CapabilityInEffect&) = delete;

  private:
    int capability_;
};

// Makes `path` (0750) if it is missing, and gives it to `account` if this process is root. An
// existing path that is not a folder is refused, and so is a symbolic link to one.
// Error "unwritable-file".
Result<void> make_folder_for(const std::string& path, const Account& account);

}  // namespace portcullis::base
