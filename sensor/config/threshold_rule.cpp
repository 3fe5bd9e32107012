#include "sensor/config/threshold_rule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "sensor/config/settings.hpp"

namespace portcullis::sensor_config {
namespace {

using sensor_detect::Counting;
using sensor_detect::DetectorRow;
using sensor_detect::DetectorSettings;

constexpr std::uint32_t kMaxSeconds = 86400;
constexpr std::uint32_t kMaxRate = 65535;
// The shortest prefix that a customer is given (RFC 6177) and that can be banned; 128 is a single
// address.
constexpr std::array<std::uint32_t, 4> kIpv6Prefixes{48, 56, 64, 128};
// With fewer sources a flood would displace every scan; with more the tables could exceed the
// memory of a host.
constexpr std::uint32_t kMinSources = 1024;
constexpr std::uint32_t kMaxSources = 4'194'304;

std::optional<std::uint32_t> number_of(std::string_view text, std::uint32_t min,
                                       std::uint32_t max) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < min || number > max) {
        return std::nullopt;
    }
    return number;
}

std::uint32_t max_count(const DetectorRow& row) {
    return row.counting == Counting::Rate ? 0xffff : sensor_detect::kMaxPortThreshold;
}

// Applies `set` to the rows of a keyword. Returns false if there are none.
template <class Set>
bool for_each_kind(std::string_view keyword, sensor_detect::TrackerSettings& settings, Set set) {
    const std::string wanted = lower(keyword);
    bool is_known = false;
    for (const DetectorRow& row : sensor_detect::detectors()) {
        if (row.keyword == wanted) {
            set(settings.of(row.kind));
            is_known = true;
        }
    }
    return is_known;
}

}  // namespace

std::string apply_threshold(std::span<const std::string_view> words,
                            sensor_detect::TrackerSettings& settings) {
    if (words.size() < 2) {
        return "Missing threshold parameter";
    }
    const std::string keyword = lower(words[0]);
    const DetectorRow* row = nullptr;
    for (const DetectorRow& candidate : sensor_detect::detectors()) {
        if (row == nullptr && candidate.keyword == keyword) {
            row = &candidate;
        }
    }
    if (row == nullptr) {
        return fmt::format("Invalid threshold target: {}", words[0]);
    }
    const auto count = number_of(words[1], 1, max_count(*row));
    if (!count) {
        return fmt::format("Invalid threshold: {} must be in range 1 - {}", words[1],
                           max_count(*row));
    }
    struct Option {
        std::string_view word;
        bool exists;
        std::uint32_t max;
        std::string_view what;
        std::optional<std::uint32_t> value;
    };
    Option in{"in", row->rate_window.count() > 0, kMaxSeconds, "seconds", {}};
    Option idle{"idle", true, kMaxSeconds, "seconds", {}};
    Option repeat{"repeat", row->repeat.count() > 0, kMaxSeconds, "seconds", {}};
    Option rate{"rate", row->rate_threshold > 0, kMaxRate, "rate", {}};
    const std::array<Option*, 4> options{&in, &idle, &repeat, &rate};
    for (std::size_t at = 2; at < words.size(); at += 2) {
        const std::string word = lower(words[at]);
        const auto* const option =
            std::find_if(options.begin(), options.end(),
                         [&](const Option* each) { return each->exists && each->word == word; });
        if (option == options.end()) {
            return fmt::format("Invalid threshold keyword: {}", words[at]);
        }
        if (at + 1 == words.size()) {
            return "Missing threshold parameter";
        }
        (*option)->value = number_of(words[at + 1], 1, (*option)->max);
        if (!(*option)->value) {
            return fmt::format("Invalid {}: {} must be in range 1 - {}", (*option)->what,
                               words[at + 1], (*option)->max);
        }
    }
    for_each_kind(keyword, settings, [&](DetectorSettings& kind) {
        kind.threshold = static_cast<std::uint16_t>(*count);
        if (in.value) {
            kind.rate_window = std::chrono::seconds(*in.value);
        }
        if (idle.value) {
            kind.idle = std::chrono::seconds(*idle.value);
        }
        if (repeat.value) {
            kind.repeat = std::chrono::seconds(*repeat.value);
        }
        if (rate.value) {
            kind.rate_threshold = *rate.value;
        }
    });
    return {};
}

std::string apply_max_sources(std::span<const std::string_view> words,
                              sensor_detect::TrackerSettings& settings) {
    if (words.size() != 1) {
        return "Missing max_sources parameter";
    }
    const auto count = number_of(words[0], kMinSources, kMaxSources);
    if (!count) {
        return fmt::format("Invalid max_sources: {} must be in range {} - {}", words[0],
                           kMinSources, kMaxSources);
    }
    settings.max_sources = *count;
    return {};
}

std::string apply_ipv6_prefix(std::span<const std::string_view> words,
                              sensor_detect::TrackerSettings& settings) {
    if (words.size() != 1) {
        return "Missing ipv6_prefix parameter";
    }
    const auto length = number_of(words[0], kIpv6Prefixes.front(), kIpv6Prefixes.back());
    if (!length ||
        std::find(kIpv6Prefixes.begin(), kIpv6Prefixes.end(), *length) == kIpv6Prefixes.end()) {
        return fmt::format("Invalid ipv6_prefix: {} must be one of {}", words[0],
                           fmt::join(kIpv6Prefixes, ", "));
    }
    settings.ipv6_prefix = static_cast<std::uint8_t>(*length);
    return {};
}

bool switch_kind(std::string_view keyword, bool is_on, sensor_detect::TrackerSettings& settings) {
    return for_each_kind(keyword, settings,
                         [&](DetectorSettings& kind) { kind.is_enabled = is_on; });
}

}  // namespace portcullis::sensor_config
