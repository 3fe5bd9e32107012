// Diagnostics as JSON, for editors (portcullis-logtest --diagnostics=json; docs/diagnostics.md).
#pragma once

#include <string>

#include "base/diagnostic.hpp"

namespace portcullis::programs {

// One JSON object, ended by '\n'. Bytes that are not UTF-8 become U+FFFD.
std::string diagnostic_json(const base::Diagnostic& diagnostic);
// One line for each.
std::string diagnostics_json(const base::Diagnostics& diagnostics);

}  // namespace portcullis::programs
