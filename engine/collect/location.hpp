// Locations: from the text of <location> to paths.
//
// A location may have strftime sequences (it contains '%'; local time) and a glob (it contains '*',
// '?' or '['); spec: logcollector, section 7. with_date() turns it into a pattern without strftime
// sequences. The Collector asks for the pattern each second and evaluates it again whenever a
// folder on the way changes, so files that appear later are found.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace portcullis::collect {

// Most files of one glob.
inline constexpr std::size_t kMaxGlobMatches = 1000;

bool has_date(std::string_view location);
bool has_glob(std::string_view location);

// `location` with its strftime(3) sequences replaced by the local time at `now`.
std::string with_date(const std::string& location, base::Timestamp now);

// Whether `location` may lead to `path` at some time: a number may be any digits, a name or a
// number with flags ("%-d") any text without '/'. False for a location without a date.
bool could_be_dated(const std::string& location, const std::string& path);

// Whether expand_pattern() returns `path` if that is an existing file.
bool could_match(const std::string& pattern, const std::string& path);

// Whether a <localfile> with this `location` may read `path`, now or on another day. Also true if
// `path` is the location as written, with its date and glob.
bool is_of_location(const std::string& location, const std::string& path);

// The paths of `pattern`. A glob gives its existing files, sorted; folders are left out, and names
// with control characters, which anyone who can create files there chooses. Other patterns give the
// one path, whether it exists or not.
std::vector<std::string> expand_pattern(const std::string& pattern);

// The existing folders in which a change can alter what expand_pattern() returns or what the
// paths lead to: for each path its folder, or the nearest one that exists; for a glob the folder
// of each component that has one; for a symbolic link the folder of its target too.
std::vector<std::string> folders_of_pattern(const std::string& pattern);

}  // namespace portcullis::collect
