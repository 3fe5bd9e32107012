// run_nft(): runs a script with nft(8), since libnftables is GPL-2-only and is not linked.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "base/result.hpp"

namespace portcullis::active_response {

// Runs `nft -f -` with `script`, which is carried out as one transaction, and waits for its end.
// nft ends when the calling process ends. Errors: "no-nft" (it cannot be run), "nft-failed" with
// the first line of nft.
base::Result<void> run_nft(std::string_view script);

// For a child process: has the kernel kill it when `parent`, the process that forked it, ends. The
// children of the child are not killed.
void end_with(pid_t parent);

}  // namespace portcullis::active_response
