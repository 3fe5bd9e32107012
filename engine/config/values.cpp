#include "engine/config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/ascii.hpp"

namespace portcullis::config {
namespace {

using base::is_digit;

bool is_host_byte(char c) { return base::is_alphanumeric(c) || c == '-' || c == '_'; }

}  // namespace

std::optional<bool> read_yes_no(SectionReader& reader, const xml::Node& option) {
    if (option.text() == "yes") {
        return true;
    }
    if (option.text() == "no") {
        return false;
    }
    reader.bad_value(option, "bad-yes-no",
                     fmt::format(R"("{}" is neither "yes" nor "no")", option.text()));
    return std::nullopt;
}

std::optional<int> read_number(SectionReader& reader, const xml::Node& option, int min, int max) {
    const std::string_view text = option.text();
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_number = error == std::errc() && end == text.data() + text.size() &&
                           is_digit(text.front()) && number >= min && number <= max;
    if (is_number) {
        return number;
    }
    reader.bad_value(option, "bad-number",
                     fmt::format("\"{}\" is not a number from {} to {}", text, min, max));
    return std::nullopt;
}

std::optional<int> read_ipv6_prefix(SectionReader& reader, const xml::Node& option) {
    struct Row {
        std::string_view text;
        int length;
    };
    constexpr Row kLengths[] = {{"128", 128}, {"64", 64}, {"56", 56}, {"48", 48}};
    for (const Row& row : kLengths) {
        if (option.text() == row.text) {
            return row.length;
        }
    }
    reader.bad_value(
        option, "bad-prefix",
        fmt::format("\"{}\" is not one of the lengths 128, 64, 56 and 48", option.text()),
        "a host usually has a prefix of 64 bits, a customer one of 56 or 48");
    return std::nullopt;
}

std::optional<std::string> read_text(SectionReader& reader, const xml::Node& option) {
    if (option.text().empty()) {
        reader.bad_value(option, "empty-value", fmt::format("<{}> is empty", option.name()));
        return std::nullopt;
    }
    return std::string(option.text());
}

std::vector<base::Cidr> parse_white_list_networks(std::string_view text) {
    const bool is_negated = text.starts_with('!');
    const auto cidr = base::Cidr::parse(is_negated ? text.substr(1) : text);
    if (!cidr) {
        return {};
    }
    if (!is_negated) {
        return {*cidr};
    }
    // Everything but a network: its sibling at each level of the prefix.
    std::vector<base::Cidr> others;
    for (int length = 1; length <= cidr->prefix_length; ++length) {
        std::array<std::uint8_t, 16> bytes{};
        std::copy_n(cidr->address.data(), cidr->address.size(), bytes.begin());
        const auto byte = static_cast<std::size_t>((length - 1) / 8);
        bytes[byte] = static_cast<std::uint8_t>(bytes[byte] ^ (0x80U >> ((length - 1) % 8)));
        const auto address = cidr->address.is_v4()
                                 ? base::IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]})
                                 : base::IpAddress::v6(bytes);
        others.emplace_back(address, length);
    }
    return others;
}

bool is_plausible_host_name(std::string_view text) {
    constexpr std::size_t kMaxHostName = 253;
    constexpr std::size_t kMaxLabel = 63;
    if (text.empty() || text.size() > kMaxHostName) {
        return false;
    }
    std::string_view label;
    while (true) {
        const std::size_t dot = text.find('.');
        label = text.substr(0, dot);
        if (label.empty() || label.size() > kMaxLabel || label.front() == '-' ||
            !std::all_of(label.begin(), label.end(), is_host_byte)) {
            return false;
        }
        if (dot == std::string_view::npos) {
            break;
        }
        text.remove_prefix(dot + 1);
    }
    return !std::all_of(label.begin(), label.end(), is_digit);
}

bool is_plausible_mail_address(std::string_view text) {
    const std::size_t at = text.find('@');
    return at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
           text.find_first_of(" \t\r\n") == std::string_view::npos;
}

// OSSEC-COMPAT: words anywhere in the text, without case, the first kind that fits
// ("values: the location of a response is a word anywhere in the text").
std::optional<respond::ResponseLocation> parse_response_location(std::string_view text) {
    struct Row {
        std::string_view word;
        respond::ResponseLocation location;
    };
    using respond::ResponseLocation;
    constexpr Row kWords[] = {
        {"AS", ResponseLocation::Server},
        {"analysisd", ResponseLocation::Server},
        {"analysis-server", ResponseLocation::Server},
        {"server", ResponseLocation::Server},
        {"local", ResponseLocation::Local},
        {"defined-agent", ResponseLocation::DefinedAgent},
        {"all", ResponseLocation::All},
        {"any", ResponseLocation::All},
    };
    for (const auto& row : kWords) {
        if (base::contains_ignoring_case(text, row.word)) {
            return row.location;
        }
    }
    return std::nullopt;
}

}  // namespace portcullis::config
