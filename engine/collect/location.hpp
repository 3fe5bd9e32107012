// Locations: from what stands in <location> to paths.
//
// A location may hold strftime sequences (it contains '%'; local time) and a glob (it contains
// '*', '?' or '['); spec: logcollector, section 7. Here both are evaluated again whenever a folder
// on the way changes, so files that appear later are found.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.hpp"

namespace portcullis::collect {

// More files than this are not taken from one glob.
inline constexpr std::size_t kMaxGlobMatches = 1000;

bool has_date(std::string_view location);
bool has_glob(std::string_view location);

// The paths that `location` means at `now`: of a glob the existing files, sorted (no
// folders, and none with control characters in its name: who may create files there chose it); of
// anything else the one path, whether it exists or not.
std::vector<std::string> expand_location(const std::string& location, base::Timestamp now);

// The existing folders in which a change can alter what expand_location() returns or what the
// paths lead to: for each path its folder, or the nearest one that exists; for a glob the folder
// of each component that has one; for a symbolic link the folder of its target too.
std::vector<std::string> folders_of_location(const std::string& location, base::Timestamp now);

}  // namespace portcullis::collect
