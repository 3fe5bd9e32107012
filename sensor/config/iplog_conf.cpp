#include "sensor/config/iplog_conf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "sensor/config/filter_values.hpp"
#include "sensor/config/threshold_rule.hpp"

namespace portcullis::sensor_config {
namespace {

using sensor_report::HostsFile;
using sensor_report::Protocol;
using sensor_report::ServicesFile;

constexpr std::size_t kLongestLine = 8191;
constexpr std::uint32_t kMaxLineLimit = 1'000'000;

class Parser {
  public:
    Parser(std::string_view text, std::string file, const ServicesFile& services,
           const HostsFile& hosts, SensorSettings& settings, base::Diagnostics& diagnostics)
        : text_(text),
          file_(std::move(file)),
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
    bool is_cut_off() const;
    void run_line();
    bool has_more() const { return next_ < tokens_.size(); }
    std::string_view take() { return tokens_[next_++]; }
    void skip_line() { next_ = tokens_.size(); }
    // The next token. If there is none, reports that `what` is missing.
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
    // Passes the rest of the line to a rule, which returns its fault.
    void apply_rest(std::string (*rule)(std::span<const std::string_view>,
                                        sensor_detect::TrackerSettings&));
    void apply_threshold() { apply_rest(sensor_config::apply_threshold); }
    void apply_max_sources() { apply_rest(sensor_config::apply_max_sources); }
    void apply_ipv6_prefix() { apply_rest(sensor_config::apply_ipv6_prefix); }
    void apply_line_limit() { apply_limit("line_limit", settings_.log.line_limit); }
    void apply_detection_limit() { apply_limit("detection_limit", settings_.log.detection_limit); }
    void apply_limit(std::string_view keyword, std::uint32_t& limit);
    void apply_log() { apply_filter(false); }
    void apply_ignore() { apply_filter(true); }
    void apply_filter(bool is_ignored);

    std::string_view text_;
    std::string file_;
    const ServicesFile& services_;
    const HostsFile& hosts_;
    SensorSettings& settings_;
    base::Diagnostics& diagnostics_;
    int line_ = 0;
    bool in_comment_ = false;
    std::vector<std::string_view> tokens_;
    std::size_t next_ = 0;
};

// Compared in this order with the whole word; `interface` also matches every word that begins with
// it.
const Parser::Keyword Parser::kKeywords[] = {
    {"set", &Parser::apply_set},
    {"user", &Parser::apply_user},
    {"group", &Parser::apply_group},
    {"logfile", &Parser::apply_log_file},
    {"pid-file", &Parser::apply_pid_file},
    {"facility", &Parser::apply_facility},
    {"priority", &Parser::apply_priority},
    {"promisc", &Parser::apply_promisc},
    {"log", &Parser::apply_log},
    {"ignore", &Parser::apply_ignore},
    {"threshold", &Parser::apply_threshold},
    {"max_sources", &Parser::apply_max_sources},
    {"ipv6_prefix", &Parser::apply_ipv6_prefix},
    {"line_limit", &Parser::apply_line_limit},
    {"detection_limit", &Parser::apply_detection_limit},
};

void Parser::run() {
    while (!text_.empty()) {
        const auto newline = text_.find('\n');
        const std::string_view line = text_.substr(0, newline);
        text_.remove_prefix(newline == std::string_view::npos ? text_.size() : newline + 1);
        ++line_;
        if (line.size() <= kLongestLine && tokenize(line) && !is_cut_off()) {
            run_line();
        }
    }
    if (in_comment_) {
        complain(fmt::format("{}: Parse Error: Unterminated comment.", file_), 0);
    }
}

// As in iplog, a comment without an end removes the text before it on its line as well.
bool Parser::is_cut_off() const {
    return in_comment_ && text_.find("*/") == std::string_view::npos;
}

// Returns false if there are only comments and blanks.
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
    // A warning: the rest is used.
    diagnostics_.add(base::make_warning("iplog-conf", std::move(message), {file_, line}));
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
    // A kind without a switch of iplog's.
    const bool is_kind = !which && switch_kind(*key, true, settings_.tracker);
    if (!which && !is_kind) {
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
    if (is_kind) {
        switch_kind(*key, value, settings_.tracker);
    } else {
        settings_[*which] = value;
    }
}

void Parser::apply_rest(std::string (*rule)(std::span<const std::string_view>,
                                            sensor_detect::TrackerSettings&)) {
    std::string fault =
        rule(std::span<const std::string_view>(tokens_).subspan(next_), settings_.tracker);
    if (!fault.empty()) {
        complain(std::move(fault));
    }
    skip_line();
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
        complain(std::move(networks.error()));
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

// iplog takes the first word of the next line if there is none on this one. Here that is a fault.
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
            settings_.facility = LOG_DAEMON;
            complain(fmt::format("Invalid facility: \"{}\" - falling back to default.", *name), 0);
        }
    }
}

void Parser::apply_priority() {
    if (const auto name = take_parameter("syslog priority parameter")) {
        if (const auto code = find_priority(*name)) {
            settings_.priority = *code;
        } else {
            settings_.priority = LOG_NOTICE;
            complain(fmt::format("Invalid priority: \"{}\" - falling back to default.", *name), 0);
        }
    }
}

void Parser::apply_limit(std::string_view keyword, std::uint32_t& limit) {
    const auto word = take_parameter(fmt::format("{} parameter", keyword));
    if (!word) {
        return;
    }
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(word->data(), word->data() + word->size(), count);
    if (error != std::errc{} || end != word->data() + word->size() || count > kMaxLineLimit) {
        complain(
            fmt::format("Invalid {}: {} must be in range 0 - {}", keyword, *word, kMaxLineLimit));
        return;
    }
    limit = count;
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
    const Protocol protocol = row->protocol == FilterProtocol::Udp ? Protocol::Udp : Protocol::Tcp;
    PacketFilter filter;
    filter.is_ignored = is_ignored;
    // Reads one criterion into `place`. Returns false if it is faulty; then the fault is reported.
    const auto take_once = [&](std::string_view keyword, std::string_view what, auto& place,
                               auto parse) {
        if (place) {
            complain(fmt::format("\"{}\" already set.", keyword));
            return false;
        }
        const auto text = take_parameter(what);
        if (!text) {
            return false;
        }
        auto value = parse(*text);
        if (!value) {
            complain(std::move(value.error()));
            return false;
        }
        place = std::move(*value);
        return true;
    };
    const auto address = [&](std::string_view text) { return parse_address_match(text, hosts_); };
    const auto port = [&](std::string_view text) {
        return parse_port_match(text, protocol, services_);
    };
    while (has_more()) {
        const std::string_view spelt = take();
        const std::string keyword = lower(spelt);
        bool is_right = false;
        if (keyword == "from") {
            is_right = take_once(keyword, "address parameter", filter.from, address);
        } else if (keyword == "to") {
            is_right = take_once(keyword, "address parameter", filter.to, address);
        } else if (keyword == "sport" && !is_icmp) {
            is_right = take_once(keyword, "port parameter", filter.source_port, port);
        } else if (keyword == "dport" && !is_icmp) {
            is_right = take_once(keyword, "port parameter", filter.destination_port, port);
        } else if (keyword == "type" && is_icmp) {
            is_right = take_once(keyword, "ICMP type", filter.icmp_type, parse_type_match);
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

}  // namespace

void apply_iplog_conf(std::string_view text, const std::string& file, const ServicesFile& services,
                      const HostsFile& hosts, SensorSettings& settings,
                      base::Diagnostics& diagnostics) {
    Parser(text, file, services, hosts, settings, diagnostics).run();
}

std::string iplog_message(const base::Diagnostic& diagnostic) {
    return diagnostic.place.line > 0
               ? fmt::format("[line {}] {}", diagnostic.place.line, diagnostic.message)
               : diagnostic.message;
}

}  // namespace portcullis::sensor_config
