#include "engine/collect/log_formats.hpp"

#include <unistd.h>

#include <array>

#include "engine/collect/joined_records.hpp"

namespace portcullis::collect {
namespace {

template <class Reader>
std::unique_ptr<RecordReader> make(const ReaderContext&) {
    return std::make_unique<Reader>();
}

std::unique_ptr<RecordReader> make_multi_line(const ReaderContext& context) {
    return std::make_unique<MultiLineReader>(context.line_count);
}

std::unique_ptr<RecordReader> make_multilog(const ReaderContext& context) {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return std::make_unique<MultilogReader>(context.path, host.data());
}

constexpr std::array kLogFormats{
    LogFormat{"syslog", "one line is one event", make<LineReader>},
    LogFormat{"generic", "the same as syslog", make<LineReader>},
    LogFormat{"snort-fast", "alerts of snort's fast mode, one line each", make<LineReader>},
    LogFormat{"apache", "web server logs, one line each", make<LineReader>},
    LogFormat{"iis", "IIS logs, one line each", make<LineReader>},
    LogFormat{"squid", "squid's access log, one line each", make<LineReader>},
    LogFormat{"syslog-pipe", "lines from a named pipe", make<LineReader>},
    LogFormat{"multi-line", "`multi-line: N`: N lines, joined by blanks, are one event",
              make_multi_line},
    LogFormat{"snort-full", "alerts of snort's full mode, three lines each", make<SnortFullReader>},
    LogFormat{"djb-multilog", "daemontools' multilog, …/PROGRAM/current", make_multilog},
    LogFormat{"mysql_log", "MySQL's general log", make<MysqlReader>},
    LogFormat{"modsec-audit", "ModSecurity's serial audit log", make<ModsecurityReader>},
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
