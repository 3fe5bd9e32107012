// run_nft(): gives nft(8) a script. libnftables is GPL-2-only and is not linked.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "base/result.hpp"

namespace portcullis::active_response {

// Runs `nft -f -` with `script`, which is one transaction: all of it or nothing. Waits for its end,
// and nft ends with the process that called this.
// Errors: "no-nft" (it cannot be run), "nft-failed" with nft's first line.
base::Result<void> run_nft(std::string_view script);

// Called by a child process: the kernel kills it (and not what it has started) when `parent`, the
// process that forked it, ends.
void end_with(pid_t parent);

}  // namespace portcullis::active_response
