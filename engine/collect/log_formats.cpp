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

}  // namespace portcullis::collect
