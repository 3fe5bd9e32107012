#include "engine/collect/log_formats.hpp"

#include <array>

namespace portcullis::collect {
namespace {

template <class Reader>
std::unique_ptr<RecordReader> make() {
    return std::make_unique<Reader>();
}

constexpr std::array kLogFormats{
    LogFormat{"syslog", "one line is one event", make<LineReader>},
    LogFormat{"generic", "the same as syslog", make<LineReader>},
    LogFormat{"snort-fast", "alerts of snort's fast mode, a line each", make<LineReader>},
    LogFormat{"apache", "web server logs, a line each", make<LineReader>},
    LogFormat{"iis", "IIS logs, a line each", make<LineReader>},
    LogFormat{"squid", "squid's access log, a line each", make<LineReader>},
    LogFormat{"syslog-pipe", "lines from a named pipe", make<LineReader>},
};

std::string names_of_formats() {
    std::string names;
    for (const LogFormat& format : kLogFormats) {
        names += (names.empty() ? "" : ", ") + std::string(format.name);
    }
    return names;
}

}  // namespace

std::span<const LogFormat> log_formats() { return kLogFormats; }

const LogFormat* find_log_format(std::string_view name) {
    for (const LogFormat& format : kLogFormats) {
        if (format.name == name) {
            return &format;
        }
    }
    return nullptr;
}

void check_local_files(const std::vector<LocalFileConfig>& files, base::Diagnostics& diagnostics) {
    const auto add = [&](const LocalFileConfig& file, std::string code, std::string message,
                         std::string hint) {
        base::Diagnostic diagnostic;
        diagnostic.code = std::move(code);
        diagnostic.message = std::move(message);
        diagnostic.place = file.place;
        diagnostic.context = "in localfile";
        diagnostic.hint = std::move(hint);
        diagnostics.add(std::move(diagnostic));
    };
    for (const LocalFileConfig& file : files) {
        if (file.location.empty()) {
            add(file, "missing-location", "a localfile needs a location", "");
        }
        if (find_log_format(file.log_format) == nullptr) {
            add(file, "unknown-log-format",
                "the log format \"" + file.log_format + "\" is not known",
                "known are: " + names_of_formats());
        }
    }
}

}  // namespace portcullis::collect
