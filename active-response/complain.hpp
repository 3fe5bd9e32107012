// complain(): writes an error to standard error, which execd copies to its log.
#pragma once

#include <cstdio>
#include <string_view>

namespace portcullis::active_response {

// Returns the exit code of a failed program.
inline int complain(std::string_view what) {
    std::fprintf(stderr, "firewall-drop: %.*s\n", static_cast<int>(what.size()), what.data());
    return 1;
}

}  // namespace portcullis::active_response
