// The table of log formats: the values of <log_format>, and how such a file is cut into records. To
// add one: a row in log_formats.cpp and, if no reader fits, a RecordReader.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/collect/record_reader.hpp"

namespace portcullis::collect {

// The facts about a file that a reader may need.
struct ReaderContext {
    std::string path;
    std::size_t line_count = 1;  // of "multi-line: N"
};

struct LogFormat {
    std::string_view name;
    std::string_view help;
    std::unique_ptr<RecordReader> (*make_reader)(const ReaderContext& context);
};

std::span<const LogFormat> log_formats();

// `name` is that of the row, without the number of lines of multi-line. nullptr = not in the table.
// The result is never destroyed.
const LogFormat* find_log_format(std::string_view name);

}  // namespace portcullis::collect
