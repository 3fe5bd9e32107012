#include "programs/logtest/terminal.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/utf8.hpp"

namespace portcullis::programs {
namespace {

constexpr std::string_view kReset = "\x1b[0m";

// The first row whose text the line has (`at_start`: begins with) gives its colour.
struct Colour {
    std::string_view text;
    bool at_start;
    std::string_view code;
};
constexpr std::array kColours{
    Colour{"**Alert to be generated.", true, "\x1b[1;31m"},
    Colour{"**", true, "\x1b[1m"},
    Colour{"       *", true, "\x1b[32m"},
    Colour{": failed: ", false, "\x1b[31m"},
    Colour{"): matches", false, "\x1b[32m"},
    Colour{"' matches '", false, "\x1b[32m"},
};

std::string_view colour_of(std::string_view line) {
    const auto* found = std::find_if(kColours.begin(), kColours.end(), [&](const Colour& row) {
        return row.at_start ? line.starts_with(row.text)
                            : line.find(row.text) != std::string_view::npos;
    });
    return found == kColours.end() ? std::string_view() : found->code;
}

bool is_set(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    return value != nullptr && *value != '\0';
}

bool is_dumb() {
    const char* term = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): one thread
    return term == nullptr || std::string_view(term) == "dumb";
}

}  // namespace

TerminalText::TerminalText(std::FILE* stream)
    : stream_(stream),
      is_terminal_(::isatty(::fileno(stream)) == 1),
      has_colours_(is_terminal_ && !is_set("NO_COLOR") && !is_dumb()) {}

bool TerminalText::write(std::string_view text) const {
    std::string shown;
    if (is_terminal_) {
        shown = harmless(text);
        shown = has_colours_ ? coloured(shown) : shown;
        text = shown;
    }
    return std::fwrite(text.data(), 1, text.size(), stream_) == text.size() &&
           std::fflush(stream_) == 0;
}

std::string coloured(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t size = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, size);
        const std::string_view colour = colour_of(line);
        out += colour;
        out += line;
        out += colour.empty() ? std::string_view() : kReset;
        if (size < text.size()) {
            out += '\n';
        }
        text.remove_prefix(std::min(size + 1, text.size()));
    }
    return out;
}

std::string harmless(std::string_view text) {
    std::string out = base::to_utf8(text);
    // U+0080 to U+009F: control characters to a terminal.
    for (std::size_t at = out.find('\xc2'); at != std::string::npos && at + 1 < out.size();
         at = out.find('\xc2', at + 1)) {
        if (static_cast<unsigned char>(out[at + 1]) < 0xa0) {
            out.replace(at, 2, "?");
        }
    }
    return out;
}

}  // namespace portcullis::programs
