// Gives up the capabilities that a program of root does not need, and passes on those that its
// children need (capabilities(7)).
#pragma once

#include <vector>

#include "base/result.hpp"

namespace portcullis::base {

// Keeps those of `wanted` (CAP_…) that the process has. Gives up all others for good, for its
// children too, and sets no_new_privs. Call it once, before threads. Error "capabilities".
Result<void> keep_capabilities(const std::vector<int>& wanted);

// Programs that this process runs from now on have `capability` too, even where it is not root
// (the ambient set). REQUIRES: the process has it. Error "capabilities".
Result<void> pass_on_capability(int capability);

}  // namespace portcullis::base
