// Giving up root. Called once, before threads and before anything hostile is read.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.hpp"

namespace portcullis::programs {

struct Account {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    bool is_root() const { return uid == 0; }
};

// Error "unknown-user".
base::Result<Account> find_account(const std::string& name);
// Of the calling process (effective ids).
Account current_account();

// Becomes `account`, with its supplementary groups and without any capability, for good; a process
// that is not root must be that account already, and root that shall stay root keeps all.
// Error "cannot-change-user".
base::Result<void> drop_to(const Account& account);

// Whether commands are run that are no responders kept running: those may do anything that scripts
// of an administrator do.
enum class Scripts { None, Some };
// Gives up what execd does not need. It keeps what blocks (NET_ADMIN), what finds ssh sessions
// (SYS_PTRACE, DAC_READ_SEARCH: descriptors of processes of others), and SYS_NICE for realtime
// priority. With scripts also what these usually need: to change files and accounts, to end
// processes, and iptables (NET_RAW). Error "capabilities".
base::Result<void> limit_execd(Scripts scripts);

// Makes `path` (0750) if it is missing, and gives it to `account` if this process is root.
// A path that is there but no folder, a symbolic link to one included, is refused.
// Error "unwritable-file".
base::Result<void> make_folder_for(const std::string& path, const Account& account);

}  // namespace portcullis::programs
