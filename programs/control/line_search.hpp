// Searches logs from their end, newest line first, within a limit of bytes.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace portcullis::programs {

enum class SearchEnd { Missing, Beginning, Limit, Stopped };

// Calls `on_line` for each line of a regular file, the last one first, without line feeds. Ends
// when `on_line` returns false (Stopped), when `bytes_left` is used up (Limit), or at the first
// line of the file (Beginning). Missing = there is no such file, or it may not be read. The bytes
// that were read are subtracted from `bytes_left`. Lines of more than 1 MB are skipped.
SearchEnd search_backwards(const std::string& path, std::size_t& bytes_left,
                           const std::function<bool(std::string_view)>& on_line);

}  // namespace portcullis::programs
