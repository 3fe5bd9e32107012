#include "programs/control/printable.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/utf8.hpp"

namespace portcullis::programs {
namespace {

// The length of what must not reach a terminal at the beginning of `text` (valid UTF-8); 0 = it
// may.
std::size_t bad_length(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    if ((byte(0) < 0x20 && byte(0) != '\n') || byte(0) == 0x7f) {
        return 1;
    }
    if (byte(0) == 0xc2 && byte(1) < 0xa0) {  // U+0080 to U+009F
        return 2;
    }
    // U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069.
    const bool is_mark =
        byte(0) == 0xe2 && ((byte(1) == 0x80 && (byte(2) == 0x8e || byte(2) == 0x8f ||
                                                 (byte(2) >= 0xaa && byte(2) <= 0xae))) ||
                            (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9));
    return is_mark ? 3 : 0;
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
    constexpr std::string_view kCut = "...";
    std::string_view shown = text.substr(0, most);
    const std::string whole = base::to_utf8(shown);
    std::string out;
    out.reserve(whole.size());
    for (std::size_t at = 0; at < whole.size();) {
        const std::size_t bad = bad_length(std::string_view(whole).substr(at));
        out += bad == 0 ? whole[at] : '?';
        at += std::max<std::size_t>(bad, 1);
    }
    return text.size() > most ? out + std::string(kCut) : out;
}

std::string duration_text(std::chrono::seconds duration) {
    const auto all = std::max<std::int64_t>(duration.count(), 0);
    const struct {
        std::int64_t size;
        const char* name;
        std::int64_t part;
        const char* part_name;
    } units[] = {{86'400, "d", 3600, "h"}, {3600, "h", 60, "min"}, {60, "min", 1, "s"}};
    for (const auto& unit : units) {
        if (all >= unit.size) {
            const auto rest = all % unit.size / unit.part;
            return rest == 0 ? fmt::format("{} {}", all / unit.size, unit.name)
                             : fmt::format("{} {} {} {}", all / unit.size, unit.name, rest,
                                           unit.part_name);
        }
    }
    return fmt::format("{} s", all);
}

std::string time_text(std::int64_t time) {
    constexpr std::int64_t kLatest = 253'402'300'799;  // the end of the year 9999
    return time <= 0 || time > kLatest
               ? (time == 0 ? "never" : "?")
               : fmt::format("{:%Y-%m-%d %H:%M:%S}",
                             fmt::localtime(static_cast<std::time_t>(time)));
}

std::chrono::seconds seconds_left(std::int64_t time) {
    return std::chrono::seconds(std::max<std::int64_t>(0, time - std::time(nullptr)));
}

}  // namespace portcullis::programs
