// LineSearch: looks through logs from their end, newest line first, within a limit of bytes.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace portcullis::programs {

enum class SearchEnd { Missing, Beginning, Limit, Stopped };

// Calls `on_line` for the lines of a regular file from its last one backwards, without line feeds,
// until it returns false, `bytes_left` (which is counted down) is used up, or the file has no more.
// A line of more than 1 MB is passed over. Missing: there is no such file, or it may not be read.
SearchEnd search_backwards(const std::string& path, std::size_t& bytes_left,
                           const std::function<bool(std::string_view)>& on_line);

}  // namespace portcullis::programs
