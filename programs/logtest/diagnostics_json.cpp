#include "programs/logtest/diagnostics_json.hpp"

#include <nlohmann/json.hpp>

#include "base/utf8.hpp"

namespace portcullis::programs {

std::string diagnostic_json(const base::Diagnostic& diagnostic) {
    nlohmann::ordered_json json;
    json["file"] = base::to_utf8(diagnostic.place.file);
    json["line"] = diagnostic.place.line;
    json["column"] = diagnostic.place.column;
    json["length"] = diagnostic.caret_length;
    json["severity"] = diagnostic.severity == base::Severity::Error ? "error" : "warning";
    json["code"] = diagnostic.code;
    json["message"] = base::to_utf8(diagnostic.message);
    json["context"] = base::to_utf8(diagnostic.context);
    json["hint"] = base::to_utf8(diagnostic.hint);
    return json.dump() + '\n';
}

std::string diagnostics_json(const base::Diagnostics& diagnostics) {
    std::string out;
    for (const base::Diagnostic& diagnostic : diagnostics.all()) {
        out += diagnostic_json(diagnostic);
    }
    return out;
}

}  // namespace portcullis::programs
