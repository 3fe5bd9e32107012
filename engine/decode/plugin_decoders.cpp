#include "engine/decode/plugin_decoders.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace portcullis::decode {
namespace {

using event::Event;
using event::EventType;
using event::FieldId;
using pattern::MatchScratch;

// The text after the first `mark` in `text`; nullopt = there is no mark.
std::optional<std::string_view> after(std::string_view text, std::string_view mark) {
    const auto found = text.find(mark);
    return found == std::string_view::npos ? std::nullopt
                                           : std::optional(text.substr(found + mark.size()));
}

std::string_view before(std::string_view text, char end) { return text.substr(0, text.find(end)); }

// "1.2.3.4.22": an IPv4 address and, after a fourth dot, a port.
void set_pf_endpoint(Event& event, std::string_view text, FieldId address, FieldId port) {
    std::size_t dot = std::string_view::npos;
    if (std::count(text.begin(), text.end(), '.') == 4) {
        dot = text.rfind('.');
    }
    event.set_field(address, text.substr(0, dot));
    if (dot != std::string_view::npos) {
        event.set_field(port, text.substr(dot + 1));
    }
}

// tcpdump of OpenBSD's pflog:
// "rule 2/(match) [uid 0, pid 1] pass in on em0: 1.2.3.4.1025 > 5.6.7.8.22: S 1:1(0) win 16384"
void decode_pf(Event& event, MatchScratch&) {
    auto rest = after(event.log, ") ");
    if (!rest) {
        return;
    }
    if (rest->starts_with('p')) {
        event.set_field(FieldId::Action, "pass");
    } else if (rest->starts_with('b')) {
        event.set_field(FieldId::Action, "block");
    } else {
        return;
    }
    rest = after(*rest, ": ");
    if (!rest) {
        return;
    }
    const auto source = before(*rest, ' ');
    if (source.size() == rest->size()) {
        return;
    }
    set_pf_endpoint(event, source, FieldId::SrcIp, FieldId::SrcPort);
    rest->remove_prefix(source.size() + 1);
    if (!rest->starts_with("> ")) {
        return;
    }
    rest->remove_prefix(2);
    const auto destination = before(*rest, ':');
    if (destination.size() == rest->size()) {
        return;
    }
    set_pf_endpoint(event, destination, FieldId::DstIp, FieldId::DstPort);
    rest->remove_prefix(destination.size() + 1);
    rest->remove_prefix(std::min(rest->find_first_not_of(' '), rest->size()));
    event.set_field(FieldId::Protocol, rest->starts_with('u')   ? "UDP"
                                       : rest->starts_with('i') ? "ICMP"
                                                                : "TCP");
}

// Symantec Web Security: "1=11.1,10=user,11=10.1.1.3,60=http://site/,3=..., "
void decode_symantec(Event& event, MatchScratch&) {
    struct Item {
        std::string_view key;
        FieldId field;
    };
    constexpr std::array kItems{Item{"10=", FieldId::DstUser}, Item{"11=", FieldId::SrcIp},
                                Item{"60=", FieldId::Url}};
    constexpr std::size_t kIdLength = 9;
    std::string_view rest = event.log;
    while (true) {
        const auto item = before(rest, ',');
        for (const auto& row : kItems) {
            if (item.starts_with(row.key) && !event.field(row.field)) {
                event.set_field(row.field, item.substr(row.key.size()));
            }
        }
        if ((item.starts_with("3=") || item.starts_with("2=")) && !event.field(FieldId::Id)) {
            event.set_field(FieldId::Id, rest.substr(0, kIdLength));
        }
        if (item.size() == rest.size()) {
            return;
        }
        rest.remove_prefix(item.size() + 1);
    }
}

// Patterns of decode_sonicwall; compiled once, constant from then on.
struct SonicWallPatterns {
    static pattern::Pattern os_regex(std::string_view text) {
        return *pattern::Pattern::compile(pattern::Language::OsRegex, text);
    }
    pattern::Pattern priority = os_regex(R"(pri=(\d) c=(\d+) m=(\d+) )");
    pattern::Pattern addresses =
        os_regex(R"(src=(\d+.\d+.\d+.\d+):(\d+):\S+ dst=(\d+.\d+.\d+.\d+):(\d+):)");
    pattern::Pattern web = os_regex(R"(result=(\d+) dstname=(\S+) arg=(\S+)$)");

    static const SonicWallPatterns& get() {
        static const SonicWallPatterns patterns;
        return patterns;
    }
};

// The meaning of the number of a SonicWall message ("m=").
struct SonicWallMessage {
    std::string_view number;
    EventType type;
    std::string_view action;  // empty = none
};

constexpr std::string_view kSonicWallWebAccess = "97";
constexpr std::string_view kSonicWallIntrusion = "32";  // a category ("c=")

constexpr std::array kSonicWallMessages{
    SonicWallMessage{"98", EventType::Firewall, "pass"},
    SonicWallMessage{"597", EventType::Firewall, "pass"},
    SonicWallMessage{"598", EventType::Firewall, "pass"},
    SonicWallMessage{"36", EventType::Firewall, "drop"},
    SonicWallMessage{"37", EventType::Firewall, "drop"},
    SonicWallMessage{"38", EventType::Firewall, "drop"},
    SonicWallMessage{"173", EventType::Firewall, "drop"},
    SonicWallMessage{"174", EventType::Firewall, "drop"},
    SonicWallMessage{"537", EventType::Firewall, "close"},
    SonicWallMessage{kSonicWallWebAccess, EventType::Squid, ""},
};

void set_sonicwall_connection(Event& event, MatchScratch& scratch) {
    pattern::Captures captures;
    if (SonicWallPatterns::get().addresses.match(event.log, scratch, &captures) &&
        captures.size() == 4) {
        event.set_field(FieldId::SrcIp, captures[0]);
        event.set_field(FieldId::SrcPort, captures[1]);
        event.set_field(FieldId::DstIp, captures[2]);
        event.set_field(FieldId::DstPort, captures[3]);
    }
    constexpr std::size_t kMaxProtocolLength = 6;
    if (const auto protocol = after(event.log, " proto=")) {
        event.set_field(FieldId::Protocol, before(protocol->substr(0, kMaxProtocolLength), '/'));
    }
}

// "id=firewall sn=0 time=... pri=1 c=32 m=82 n=1 src=1.2.3.4:36701:WAN dst=5.6.7.8:50000:WAN"
void decode_sonicwall(Event& event, MatchScratch& scratch) {
    pattern::Captures captures;
    if (!SonicWallPatterns::get().priority.match(event.log, scratch, &captures) ||
        captures.size() != 3) {
        return;
    }
    event.set_field(FieldId::Status, captures[0]);
    event.set_field(FieldId::Id, captures[2]);
    const std::string_view category = captures[1];
    const std::string_view number = captures[2];
    set_sonicwall_connection(event, scratch);

    event.type = EventType::Syslog;
    if (category == kSonicWallIntrusion) {
        event.type = EventType::Ids;
        return;
    }
    const auto* const message =
        std::find_if(kSonicWallMessages.begin(), kSonicWallMessages.end(),
                     [&](const SonicWallMessage& row) { return row.number == number; });
    if (message == kSonicWallMessages.end()) {
        return;
    }
    event.type = message->type;
    if (!message->action.empty()) {
        event.set_field(FieldId::Action, message->action);
    }
    if (number == kSonicWallWebAccess &&
        SonicWallPatterns::get().web.match(event.log, scratch, &captures) && captures.size() == 3) {
        event.set_field(FieldId::Id, captures[0]);
        event.set_field(FieldId::Url,
                        event.keep(std::string(captures[1]) + std::string(captures[2])));
    }
}

// An alert that another OSSEC sent through syslog: "Alert Level: 3; Rule: 5715 - SSHD
// authentication success.; Location: web1->/var/log/auth.log; srcip: 1.2.3.4; user: root;  log".
// The event gets its place, address, user and text, and the rule with that number is its result.
void decode_ossec_alert(Event& event, MatchScratch&) {
    const auto level = after(event.log, "Alert Level: ");
    const auto rule = level ? after(*level, "; Rule: ") : std::nullopt;
    const auto place = rule ? after(*rule, "; Location: ") : std::nullopt;
    if (!place) {
        return;
    }
    int id = 0;
    constexpr std::ptrdiff_t kMaxDigits = 6;
    const auto [end, error] = std::from_chars(rule->data(), rule->data() + rule->size(), id);
    const std::ptrdiff_t digits = end - rule->data();
    if (error != std::errc() || digits > kMaxDigits || id <= 0) {
        return;
    }
    event.forwarded_rule = id;
    event.set_field(FieldId::Id, rule->substr(0, static_cast<std::size_t>(digits)));
    event.type = EventType::Ossec;

    const auto location = before(*place, ';');
    event.location = event.keep(std::string(event.location) + '|' + std::string(location));
    std::string_view rest = place->substr(std::min(location.size() + 1, place->size()));
    struct Item {
        std::string_view key;
        FieldId field;
    };
    for (const auto& item : {Item{" srcip: ", FieldId::SrcIp}, Item{" user: ", FieldId::DstUser}}) {
        if (rest.starts_with(item.key)) {
            const auto value = before(rest.substr(item.key.size()), ';');
            event.set_field(item.field, value);
            rest.remove_prefix(std::min(item.key.size() + value.size() + 1, rest.size()));
        }
    }
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    event.log = rest;
}

constexpr std::array kPlugins{
    PluginDecoder{"PF_Decoder", "OpenBSD's pf, printed by tcpdump",
                  "rule 2/(match) pass in on em0: 1.2.3.4.1025 > 5.6.7.8.22: S 1:1(0) win 16384",
                  decode_pf},
    PluginDecoder{"SymantecWS_Decoder", "Symantec Web Security",
                  "20070717,73613,1=5,11=10.1.1.3,10=userc,3=1,2=1", decode_symantec},
    PluginDecoder{"SonicWall_Decoder", "SonicWall firewalls",
                  "id=firewall sn=00301E0526B1 fw=67.39.201.30 pri=1 c=32 m=30 n=2 "
                  "src=67.101.200.27:4507:WAN dst=67.39.201.30:49:WAN",
                  decode_sonicwall},
    PluginDecoder{"OSSECAlert_Decoder", "alerts that another OSSEC sends through syslog",
                  "Alert Level: 3; Rule: 5715 - SSHD authentication success.; Location: "
                  "web1->/var/log/auth.log; srcip: 1.2.3.4; user: root;  Accepted password",
                  decode_ossec_alert},
};

}  // namespace

std::span<const PluginDecoder> plugin_decoders() { return kPlugins; }

}  // namespace portcullis::decode
