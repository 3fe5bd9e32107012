#include "sensor/config/iplog_conf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace portcullis::sensor_config {
namespace {

using sensor_report::HostNames;
using sensor_report::Protocol;
using sensor_report::ServiceNames;

constexpr std::size_t kLongestLine = 8191;
constexpr std::uint32_t kHighestIcmpType = 18;

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

bool is_all_digits(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// iplog knows ICMP types by the first letters of their names, tried in this order; what follows
// is not looked at. TSTAMPR(EPLY) and MASKRE(Q) are the two that it got wrong: put right here.
struct TypeName {
    std::string_view start;
    std::uint8_t type;
};
constexpr TypeName kTypeNames[] = {
    {"echor", 0},   {"echo_r", 0},       {"ec", 8},          {"unre", 3},       {"sou", 4},
    {"red", 5},     {"routeradv", 9},    {"routersol", 10},  {"timx", 11},      {"time", 11},
    {"para", 12},   {"timestamp_r", 14}, {"timestampr", 14}, {"timestamp", 13}, {"tstampr", 14},
    {"tstamp", 13}, {"ireqr", 16},       {"ir", 15},         {"maskreq", 17},   {"maskr", 18},
    {"ma", 17},
};

std::optional<std::uint8_t> find_icmp_type(std::string_view name) {
    std::string wanted = lower(name);
    if (wanted.rfind("icmp_", 0) == 0) {
        wanted.erase(0, 5);
    }
    // "timestamp" starts with "time", so the more special name is looked for first.
    const TypeName* best = nullptr;
    for (const TypeName& row : kTypeNames) {
        if (wanted.rfind(row.start, 0) == 0 &&
            (best == nullptr || row.start.size() > best->start.size())) {
            best = &row;
        }
    }
    return best == nullptr ? std::nullopt : std::optional(best->type);
}

// Dotted, with one to three parts padded by ".0", or IPv6.
std::optional<base::IpAddress> parse_padded_address(std::string_view text) {
    if (text.find(':') != std::string_view::npos) {
        return base::IpAddress::parse(text);
    }
    std::string padded(text);
    for (auto dots = std::count(text.begin(), text.end(), '.'); dots < 3; ++dots) {
        padded += ".0";
    }
    return base::IpAddress::parse(padded);
}

// 1..32 (1..128 for IPv6) or a dotted mask of contiguous bits.
std::optional<int> parse_mask(std::string_view text, bool is_v4) {
    if (is_all_digits(text)) {
        const auto length = parse_number<int>(text);
        return length && *length >= 1 && *length <= (is_v4 ? 32 : 128) ? length : std::nullopt;
    }
    const auto mask = base::IpAddress::parse(text);
    if (!mask || !mask->is_v4() || !is_v4) {
        return std::nullopt;
    }
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        bits = (bits << 8) | mask->data()[i];
    }
    int length = 0;
    while (length < 32 && ((bits >> (31 - length)) & 1U) != 0) {
        ++length;
    }
    const bool is_contiguous = length == 32 || (bits << length) == 0;
    return is_contiguous && length > 0 ? std::optional(length) : std::nullopt;
}

class Parser {
  public:
    Parser(std::string_view text, const std::string& file, const ServiceNames& services,
           const HostNames& hosts, SensorSettings& settings, base::Diagnostics& diagnostics)
        : text_(text),
          file_(file),
          services_(services),
          hosts_(hosts),
          settings_(settings),
          diagnostics_(diagnostics) {}

    void run();

  private:
    struct Keyword {
        std::string_view word;
        void (Parser::*apply)();
    };
    static const Keyword kKeywords[];

    bool tokenize(std::string_view line);
    void run_line();
    bool has_more() const { return next_ < tokens_.size(); }
    std::string_view take() { return tokens_[next_++]; }
    void skip_line() { next_ = tokens_.size(); }
    // The next token; without one, says that `what` is missing.
    std::optional<std::string_view> take_parameter(std::string_view what);
    void complain(std::string message, int line);
    void complain(std::string message) { complain(std::move(message), line_); }

    void apply_set();
    void apply_interface();
    void apply_promisc();
    void apply_user();
    void apply_group();
    void apply_log_file();
    void apply_pid_file();
    void apply_facility();
    void apply_priority();
    void apply_log() { apply_filter(false); }
    void apply_ignore() { apply_filter(true); }
    void apply_filter(bool is_ignored);

    std::optional<AddressMatch> take_address();
    std::optional<PortMatch> take_port(Protocol protocol);
    std::optional<std::uint16_t> port_of(std::string_view text, Protocol protocol);
    std::optional<TypeMatch> take_type();

    std::string_view text_;
    std::string file_;
    const ServiceNames& services_;
    const HostNames& hosts_;
    SensorSettings& settings_;
    base::Diagnostics& diagnostics_;
    int line_ = 0;
    bool in_comment_ = false;
    std::vector<std::string_view> tokens_;
    std::size_t next_ = 0;
};

// Tried in order against the whole word; `interface` also stands for whatever begins with it.
const Parser::Keyword Parser::kKeywords[] = {
    {"set", &Parser::apply_set},           {"user", &Parser::apply_user},
    {"group", &Parser::apply_group},       {"logfile", &Parser::apply_log_file},
    {"pid-file", &Parser::apply_pid_file}, {"facility", &Parser::apply_facility},
    {"priority", &Parser::apply_priority}, {"promisc", &Parser::apply_promisc},
    {"log", &Parser::apply_log},           {"ignore", &Parser::apply_ignore},
};

void Parser::run() {
    while (!text_.empty()) {
        const auto newline = text_.find('\n');
        const std::string_view line = text_.substr(0, newline);
        text_.remove_prefix(newline == std::string_view::npos ? text_.size() : newline + 1);
        ++line_;
        if (line.size() <= kLongestLine && tokenize(line)) {
            run_line();
        }
    }
    if (in_comment_) {
        complain(fmt::format("{}: Parse Error: Unterminated comment.", file_), 0);
    }
}

// False = nothing but comments and blanks.
bool Parser::tokenize(std::string_view line) {
    constexpr std::string_view kBlanks = " \t\r\f\v";
    tokens_.clear();
    next_ = 0;
    while (!line.empty()) {
        if (in_comment_) {
            const auto end = line.find("*/");
            if (end == std::string_view::npos) {
                break;
            }
            in_comment_ = false;
            line.remove_prefix(end + 2);
            continue;
        }
        line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
        if (line.empty() || line.front() == '#') {
            break;
        }
        if (line.substr(0, 2) == "/*") {
            in_comment_ = true;
            line.remove_prefix(2);
            continue;
        }
        const auto end = std::min(line.find_first_of(kBlanks), line.size());
        tokens_.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
    return !tokens_.empty();
}

void Parser::run_line() {
    while (has_more()) {
        const std::string_view word = take();
        const std::string lowered = lower(word);
        if (lowered.rfind("interface", 0) == 0) {
            apply_interface();
            continue;
        }
        const auto* const row =
            std::find_if(std::begin(kKeywords), std::end(kKeywords),
                         [&](const Keyword& keyword) { return keyword.word == lowered; });
        if (row == std::end(kKeywords)) {
            complain(fmt::format("Invalid rule: {}", word));
            skip_line();
            return;
        }
        (this->*row->apply)();
    }
}

void Parser::complain(std::string message, int line) {
    base::Diagnostic diagnostic;
    diagnostic.severity = base::Severity::Warning;  // the rest is used
    diagnostic.code = "iplog-conf";
    diagnostic.message = std::move(message);
    diagnostic.place.file = file_;
    diagnostic.place.line = line;
    diagnostics_.add(std::move(diagnostic));
}

std::optional<std::string_view> Parser::take_parameter(std::string_view what) {
    if (!has_more()) {
        complain(fmt::format("Missing {}", what));
        return std::nullopt;
    }
    return take();
}

void Parser::apply_set() {
    const auto key = take_parameter("set target");
    if (!key) {
        return;
    }
    const auto which = find_switch(*key);
    if (!which) {
        complain(fmt::format("Invalid \"set\" target: {}", *key));
        skip_line();
        return;
    }
    bool value = true;
    if (has_more()) {
        const std::string word = lower(tokens_[next_]);
        const bool is_rule = word.rfind("interface", 0) == 0 ||
                             std::any_of(std::begin(kKeywords), std::end(kKeywords),
                                         [&](const Keyword& row) { return row.word == word; });
        if (word == "true" || word == "false") {
            value = word == "true";
            take();
        } else if (!is_rule) {
            complain(fmt::format("Invalid boolean token: {}", take()));
            return;
        }
    }
    settings_[*which] = value;
}

void Parser::apply_interface() {
    if (const auto names = take_parameter("interface parameter")) {
        for (std::string& name : split_commas(*names)) {
            settings_.interfaces.push_back(std::move(name));
        }
    }
}

void Parser::apply_promisc() {
    const auto text = take_parameter("network parameter");
    if (!text) {
        return;
    }
    auto networks = parse_networks(*text);
    if (!networks) {
        complain(fmt::format("Invalid network: {}", *text));
        return;
    }
    settings_.promisc = std::move(*networks);
    settings_[Switch::LogDest] = true;
}

void Parser::apply_user() {
    if (const auto name = take_parameter("user parameter")) {
        settings_.user = *name;
    }
}

void Parser::apply_group() {
    if (const auto name = take_parameter("group parameter")) {
        settings_.group = *name;
    }
}

void Parser::apply_log_file() {
    if (const auto path = take_parameter("log file parameter")) {
        settings_.log_file = *path;
    }
}

// iplog takes the first word of the next line if there is none on this one; that is mended here.
void Parser::apply_pid_file() {
    if (const auto path = take_parameter("pid file parameter")) {
        settings_.pid_file = *path;
    }
}

void Parser::apply_facility() {
    if (const auto name = take_parameter("syslog facility parameter")) {
        if (const auto code = find_facility(*name)) {
            settings_.facility = *code;
        } else {
            complain(fmt::format("Invalid facility: \"{}\" - falling back to default.", *name), 0);
        }
    }
}

void Parser::apply_priority() {
    if (const auto name = take_parameter("syslog priority parameter")) {
        if (const auto code = find_priority(*name)) {
            settings_.priority = *code;
        } else {
            complain(fmt::format("Invalid priority: \"{}\" - falling back to default.", *name), 0);
        }
    }
}

void Parser::apply_filter(bool is_ignored) {
    struct ProtocolName {
        std::string_view word;
        FilterProtocol protocol;
        Switch which;
    };
    static constexpr ProtocolName kProtocols[] = {
        {"tcp", FilterProtocol::Tcp, Switch::Tcp},
        {"udp", FilterProtocol::Udp, Switch::Udp},
        {"icmp", FilterProtocol::Icmp, Switch::Icmp},
    };
    const auto word = take_parameter("protocol parameter");
    if (!word) {
        return;
    }
    const auto* const row =
        std::find_if(std::begin(kProtocols), std::end(kProtocols),
                     [&](const ProtocolName& name) { return name.word == lower(*word); });
    if (row == std::end(kProtocols)) {
        complain(fmt::format("Invalid protocol: {}", *word));
        skip_line();
        return;
    }
    if (!has_more()) {  // a rule without a criterion is a switch
        settings_[row->which] = !is_ignored;
        return;
    }
    const bool is_icmp = row->protocol == FilterProtocol::Icmp;
    const Protocol names = row->protocol == FilterProtocol::Udp ? Protocol::Udp : Protocol::Tcp;
    PacketFilter filter;
    filter.is_ignored = is_ignored;
    // Takes one criterion into `place`; false = it is faulty and said so.
    const auto take_once = [&](const std::string& keyword, auto& place, auto take_value) {
        if (place) {
            complain(fmt::format("\"{}\" already set.", keyword));
            return false;
        }
        place = take_value();
        return place.has_value();
    };
    while (has_more()) {
        const std::string_view spelt = take();
        const std::string keyword = lower(spelt);
        bool is_right = false;
        if (keyword == "from") {
            is_right = take_once(keyword, filter.from, [&] { return take_address(); });
        } else if (keyword == "to") {
            is_right = take_once(keyword, filter.to, [&] { return take_address(); });
        } else if (keyword == "sport" && !is_icmp) {
            is_right = take_once(keyword, filter.source_port, [&] { return take_port(names); });
        } else if (keyword == "dport" && !is_icmp) {
            is_right =
                take_once(keyword, filter.destination_port, [&] { return take_port(names); });
        } else if (keyword == "type" && is_icmp) {
            is_right = take_once(keyword, filter.icmp_type, [&] { return take_type(); });
        } else {
            complain(fmt::format("Invalid filter keyword: {}", spelt));
        }
        if (!is_right) {
            skip_line();
            return;
        }
    }
    settings_.filters.add(row->protocol, std::move(filter));
}

std::optional<AddressMatch> Parser::take_address() {
    const auto parameter = take_parameter("address parameter");
    if (!parameter) {
        return std::nullopt;
    }
    std::string_view text = *parameter;
    AddressMatch match;
    if (!text.empty() && text.front() == '!') {
        match.is_negated = true;
        text.remove_prefix(1);
    }
    if (text == "*") {
        match.networks = {{base::IpAddress(), 0}, {*base::IpAddress::parse("::"), 0}};
        return match;
    }
    const auto slash = text.find('/');
    const std::string_view host = text.substr(0, slash);
    std::vector<base::IpAddress> addresses;
    if (const auto address = parse_padded_address(host)) {
        addresses.push_back(*address);
    } else {
        addresses = hosts_.addresses_of(host);
    }
    if (addresses.empty()) {
        // iplog let an unknown name match every address, which silenced the whole protocol.
        complain(fmt::format("Unknown host: {}", host));
        return std::nullopt;
    }
    for (const base::IpAddress& address : addresses) {
        int length = address.is_v4() ? 32 : 128;
        if (slash != std::string_view::npos) {
            const std::string_view mask = text.substr(slash + 1);
            const auto parsed = parse_mask(mask, address.is_v4());
            if (!parsed) {
                complain(is_all_digits(mask) ? std::string("Invalid mask: must be in range 1 - 32")
                                             : fmt::format("Invalid mask: {}", mask));
                return std::nullopt;
            }
            length = *parsed;
        }
        match.networks.push_back({address, length});
    }
    return match;
}

std::optional<std::uint16_t> Parser::port_of(std::string_view text, Protocol protocol) {
    if (is_all_digits(text)) {
        const auto number = parse_number<std::uint32_t>(text);
        if (!number || *number < 1 || *number > 65535) {
            complain("Error: Ports must be between 1 and 65535");
            return std::nullopt;
        }
        return static_cast<std::uint16_t>(*number);
    }
    const auto port = services_.find_port(protocol, text);
    if (!port) {
        complain(fmt::format("Invalid port: \"{}\"", text));
    }
    return port;
}

std::optional<PortMatch> Parser::take_port(Protocol protocol) {
    const auto parameter = take_parameter("port parameter");
    if (!parameter) {
        return std::nullopt;
    }
    std::string_view text = *parameter;
    PortMatch match;
    if (!text.empty() && text.front() == '!') {
        match.is_negated = true;
        text.remove_prefix(1);
    }
    if (text == "*") {
        return match;
    }
    const auto colon = text.find(':');
    const std::string_view low = text.substr(0, colon);
    if (low != "*") {
        const auto port = port_of(low, protocol);
        if (!port) {
            return std::nullopt;
        }
        match.lowest = *port;
        match.highest = colon == std::string_view::npos ? *port : 65535;
    }
    const std::string_view high =
        colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    if (!high.empty() && high != "*") {
        const auto port = port_of(high, protocol);
        if (!port) {
            return std::nullopt;
        }
        match.highest = *port;
    }
    if (match.lowest > match.highest) {
        complain(fmt::format("Error: Minimum port ({}) is greater than the maximum port ({})",
                             match.lowest, match.highest));
        return std::nullopt;
    }
    return match;
}

std::optional<TypeMatch> Parser::take_type() {
    const auto parameter = take_parameter("ICMP type");
    if (!parameter) {
        return std::nullopt;
    }
    std::string_view text = *parameter;
    TypeMatch match;
    if (!text.empty() && text.front() == '!') {
        match.is_negated = true;
        text.remove_prefix(1);
    }
    std::optional<std::uint8_t> type;
    if (is_all_digits(text)) {
        const auto number = parse_number<std::uint32_t>(text);
        if (number && *number <= kHighestIcmpType) {
            type = static_cast<std::uint8_t>(*number);
        }
    } else {
        type = find_icmp_type(text);
    }
    if (!type) {
        complain(fmt::format("Unknown ICMP type: {}", text));
        return std::nullopt;
    }
    match.type = *type;
    return match;
}

}  // namespace

void apply_iplog_conf(std::string_view text, const std::string& file, const ServiceNames& services,
                      const HostNames& hosts, SensorSettings& settings,
                      base::Diagnostics& diagnostics) {
    Parser(text, file, services, hosts, settings, diagnostics).run();
}

std::optional<std::vector<base::Cidr>> parse_networks(std::string_view text) {
    std::vector<base::Cidr> networks;
    for (const std::string& part : split_commas(text)) {
        const auto slash = part.find('/');
        const auto address = parse_padded_address(std::string_view(part).substr(0, slash));
        if (!address) {
            return std::nullopt;
        }
        std::optional<int> length = address->is_v4() ? 32 : 128;
        if (slash != std::string::npos) {
            length = parse_mask(std::string_view(part).substr(slash + 1), address->is_v4());
        }
        if (!length) {
            return std::nullopt;
        }
        networks.push_back({*address, *length});
    }
    return networks.empty() ? std::nullopt : std::optional(std::move(networks));
}

std::vector<std::string> split_commas(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        if (comma > 0) {
            parts.emplace_back(text.substr(0, comma));
        }
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return parts;
}

std::string iplog_message(const base::Diagnostic& diagnostic) {
    return diagnostic.place.line > 0
               ? fmt::format("[line {}] {}", diagnostic.place.line, diagnostic.message)
               : diagnostic.message;
}

}  // namespace portcullis::sensor_config
