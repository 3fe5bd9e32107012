// Rule: one <rule>, compiled; part of an immutable RuleSet.
//
// What a rule demands of one event alone are its `checks`; what it demands of earlier events is
// its `composite` part, which the Correlator searches. Rules hold no state.
#pragma once

#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/event/event.hpp"
#include "engine/pattern/pattern.hpp"

namespace portcullis::rules {

class Correlator;
struct Rule;

// What the checks of a rule look at. Checks with a side effect (first-time-seen, check_diff) reach
// the state through `correlator`.
struct CheckContext {
    const event::Event& event;
    const Rule& rule;
    pattern::MatchScratch& scratch;
    Correlator& correlator;
};

// One condition; true = it holds.
using Check = std::function<bool(const CheckContext&)>;

// What a check demands, so that a person can be told why it does not hold.
struct Condition {
    std::string element;  // as in the XML, with its attributes: match, field name="x"
    std::string demand;   // its text
    // What the check looks at: nullopt = the event has no such thing. No function: there is
    // nothing that could be shown.
    std::function<std::optional<std::string>(const event::Event&)> value;
    std::optional<pattern::Pattern> pattern;  // that the value must match
    bool changes_state = false;               // asking it twice would give another answer
};

// What an earlier event must share with the current one (<same_source_ip /> etc.). A field that is
// missing on either side makes them unequal.
enum class Shared : std::uint8_t { Id, SrcIp, SrcPort, DstPort, User, Location };
inline constexpr std::size_t kSharedCount = 6;

// The part of a rule that searches earlier events (spec: rules, section 7).
struct Composite {
    enum class History : std::uint8_t {
        Sid,    // events whose result was rule `sid`
        Group,  // events whose result has a group that `pattern` matches
        Regex,  // all events of the same type; `pattern` must match their log
    };
    History history = History::Sid;
    int sid = 0;
    std::optional<pattern::Pattern> pattern;
    // Index of the history in RuleSet::histories(); not used for Regex.
    std::size_t history_index = 0;

    std::bitset<kSharedCount> shared;  // by Shared
    bool different_url = false;
};

// Fields of the key of <ignore> and <check_if_ignored>.
enum class IgnorePart : std::uint8_t { Name, Id, User, SrcIp, DstIp, Data, Location };
using IgnoreParts = std::bitset<7>;  // by IgnorePart

struct Information {
    enum class Kind : std::uint8_t { Text, Link, Cve, Osvdb };
    Kind kind = Kind::Text;
    std::string text;
};

struct Rule {
    int id = 0;
    int level = 0;
    bool noalert = false;     // never the result itself, its children may be
    bool is_accurate = true;  // accuracy="0": last among its siblings, binds no response
    bool is_root = false;     // id < 10: the root of its category
    event::EventType category = event::EventType::Syslog;

    int frequency = 0;                            // F + 2 events fire (section 7.2)
    std::chrono::seconds timeframe{0};            // of a composite rule
    std::optional<std::chrono::seconds> silence;  // ignore="N"

    int decoder_id = 0;                // decoded_as; 0 = any
    std::string decoded_as;            // its name
    std::size_t minimum_log_size = 0;  // maxsize="N"
    std::vector<Check> checks;  // in the order of evaluation, without decoded_as and the composite
    std::vector<Condition> conditions;  // what each of them demands
    std::optional<Composite> composite;
    bool checks_difference = false;  // has <check_diff>

    bool logs = true;              // decided at load: level, log_alert_level and options
    bool mails = false;            // … and email_alert_level
    bool no_response = false;      // option no_ar
    IgnoreParts ignore;            // <ignore>
    IgnoreParts check_if_ignored;  // <check_if_ignored>

    std::string description;
    std::string group;  // group string: "syslog,sshd,"
    std::string cve;
    std::vector<Information> information;

    std::size_t index = 0;  // position in RuleSet::rules()
    // The histories (RuleSet::histories()) that an event with this result goes into.
    std::vector<std::size_t> feeds;

    base::SourcePlace place;  // of the <rule> (of the last one that overwrites)
};

}  // namespace portcullis::rules
