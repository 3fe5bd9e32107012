#include "engine/rules/list_lint.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "base/ip_address.hpp"
#include "engine/rules/key_value_list.hpp"

namespace portcullis::rules {
namespace {

// Why a key is never found. `begin` and `length` are bytes of the line.
struct Finding {
    std::string message;
    std::string hint;
    std::size_t begin = 0;
    std::size_t length = 0;
};

constexpr std::string_view kIpv6Hint =
    "a list in text cannot have IPv6 addresses; give the rule a <srcip>, which takes networks, too";

using base::is_hex_digit;

bool is_number(std::string_view text) {
    return text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The IPv6 address or network that `line` begins with, up to a ':' or its end.
std::optional<std::string_view> ipv6_at(std::string_view line) {
    for (std::size_t end = line.size(); end > 0; end = line.rfind(':', end - 1)) {
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        const auto network = base::Cidr::parse(line.substr(0, end));
        if (network && line.substr(0, end).find(':') != std::string_view::npos) {
            return line.substr(0, end);
        }
    }
    return std::nullopt;
}

// "2001:db8:5:" of a line "2001:db8:5:office": the beginning of a global, unique local or
// link-local address, with a letter in it. Numbers before a ':' may be anything, and a number
// with one more word a port and a name ("3306:db:sales").
std::optional<std::string_view> ipv6_prefix_at(std::string_view line) {
    constexpr std::size_t kDigits = 4;
    constexpr std::array<std::string_view, 5> kStarts{"2", "3", "fc", "fd", "fe80"};
    std::size_t end = 0;
    std::size_t words = 0;
    for (;;) {
        const std::size_t colon = line.find(':', end);
        const std::string_view word =
            line.substr(end, colon == std::string_view::npos ? 0 : colon - end);
        if (word.empty() || word.size() > kDigits ||
            !std::all_of(word.begin(), word.end(), is_hex_digit)) {
            break;
        }
        end = colon + 1;
        ++words;
    }
    const std::string_view prefix = line.substr(0, end);
    const bool has_letter = prefix.find_first_not_of("0123456789:") != std::string_view::npos;
    const bool is_start = prefix.find(':') == kDigits &&
                          std::any_of(kStarts.begin(), kStarts.end(), [&](std::string_view start) {
                              return prefix.starts_with(start);
                          });
    const std::size_t fewest = is_number(prefix.substr(0, prefix.find(':'))) ? 3 : 2;
    return words >= fewest && has_letter && is_start ? std::optional(prefix) : std::nullopt;
}

// "10.1.*".
bool is_wildcard(std::string_view key) {
    return key.ends_with(".*") && base::is_digit(key.front()) &&
           key.find_first_not_of("0123456789.*") == std::string_view::npos;
}

// "10.0.0.1-10.0.0.9", "10.0.0.1-9".
bool is_range(std::string_view key) {
    const std::size_t dash = key.find('-');
    return dash != std::string_view::npos && base::IpAddress::parse(key.substr(0, dash)) &&
           key.find_first_not_of("0123456789.", dash + 1) == std::string_view::npos;
}

std::optional<Finding> find_fault(std::string_view line) {
    if (const auto address = ipv6_at(line)) {
        return Finding{fmt::format("\"{}\" never matches: the key ends at the first ':'", *address),
                       std::string(kIpv6Hint), 0, address->size()};
    }
    if (const auto prefix = ipv6_prefix_at(line)) {
        return Finding{fmt::format("\"{}\" never matches: the key ends at the first ':'", *prefix),
                       std::string(kIpv6Hint), 0, prefix->size()};
    }
    const std::string_view key = line.substr(0, line.find(':'));
    const auto finding = [&](std::string_view why, std::string hint) {
        return Finding{fmt::format("\"{}\" never matches: {}", key, why), std::move(hint), 0,
                       key.size()};
    };
    if (key.starts_with('"') || key.starts_with('\'')) {
        const std::string_view quoted = line.substr(1, line.find(key.front(), 1) - 1);
        return finding("the quote is a part of the key",
                       quoted.find(':') == std::string_view::npos
                           ? "write the key without quotes"
                           : "no key of a list in text can have a ':', quoted or not");
    }
    if (key.starts_with('#')) {
        return finding("a comment begins with ###, this is a key", "write ### before the comment");
    }
    const std::size_t first = key.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return key.empty() ? std::nullopt
                           : std::optional(finding("it is blank", "write a key before the ':'"));
    }
    if (first > 0 || key.find_last_not_of(" \t") + 1 < key.size()) {
        return finding("the blank at its end or beginning is a part of the key",
                       "write nothing between the key and the ':'");
    }
    if (key.starts_with('!') && base::Cidr::parse(key.substr(1))) {
        return finding("a list has no negation", "negate the look-up: lookup=\"not_match_key\"");
    }
    const std::size_t slash = key.find('/');  // "/24", "/255.255.255.0"
    const bool is_network =
        slash != std::string_view::npos && base::IpAddress::parse(key.substr(0, slash)) &&
        key.find_first_not_of("0123456789.", slash + 1) == std::string_view::npos;
    if (is_network || is_wildcard(key) || is_range(key)) {
        return finding(is_network ? "a list has no networks, except those that end at a dot"
                                  : "a list has neither wildcards nor ranges",
                       "write \"192.0.2.\" for a whole network and look it up with "
                       "address_match_key, or give the rule a <srcip>, which takes networks");
    }
    return std::nullopt;
}

}  // namespace

void lint_list(const std::string& file, std::string_view text, base::Diagnostics& diagnostics) {
    constexpr std::size_t kMaxShownLine = 8192;
    std::size_t found = 0;
    int first_left = 0;  // line of the first key that is not shown
    for_each_list_line(text, [&](std::size_t number, std::string_view line) {
        if (line.find(':') == std::string_view::npos) {
            return;
        }
        auto fault = find_fault(line);
        if (!fault) {
            return;
        }
        if (++found > kMaxUnfindableKeys) {
            first_left = first_left == 0 ? static_cast<int>(number) : first_left;
            return;
        }
        base::Diagnostic diagnostic = base::make_warning(
            "unfindable-key", std::move(fault->message),
            {file, static_cast<int>(number), static_cast<int>(fault->begin) + 1});
        diagnostic.hint = std::move(fault->hint);
        diagnostic.source_line = line.substr(0, kMaxShownLine);
        diagnostic.caret_length = std::max(1, static_cast<int>(fault->length));
        diagnostics.add(std::move(diagnostic));
    });
    if (found > kMaxUnfindableKeys) {
        diagnostics.add(base::make_warning(
            "unfindable-key", fmt::format("{} more keys never match", found - kMaxUnfindableKeys),
            {file, first_left, 1}));
    }
}

}  // namespace portcullis::rules
