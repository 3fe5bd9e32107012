// <localfile> of ossec.conf as a plain value (spec: conf, section 5).
#pragma once

#include <cstddef>
#include <string>

#include "base/diagnostic.hpp"

namespace portcullis::collect {

struct LocalFileConfig {
    std::string location;    // as written: may hold strftime sequences or a glob
    std::string log_format;  // without the number of lines of multi-line
    base::SourcePlace place;
    std::size_t line_count = 1;  // of "multi-line: N"
};

}  // namespace portcullis::collect
