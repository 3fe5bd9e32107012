// <localfile> of ossec.conf as a plain value (spec: conf, section 5).
#pragma once

#include <string>

#include "engine/base/diagnostic.hpp"

namespace portcullis::collect {

struct LocalFileConfig {
    std::string location;  // as written: may hold strftime sequences or a glob
    std::string log_format;
    base::SourcePlace place;
};

}  // namespace portcullis::collect
