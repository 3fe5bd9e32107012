// Rule: one <rule>, compiled; part of an immutable RuleSet.
//
// `conditions` examine the event alone, `stateful_conditions` also stored state, and the
// `composite` part counts earlier events, which the Correlator holds. Rules hold no state.
#pragma once

#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/event/event.hpp"
#include "engine/pattern/pattern.hpp"
#include "engine/rules/conditions.hpp"

namespace portcullis::rules {

// The fields that an earlier event must share with the current one (<same_source_ip /> etc.). A
// field that is missing on either side counts as different.
enum class Shared : std::uint8_t { Id, SrcIp, SrcPort, DstPort, User, Location };
inline constexpr std::size_t kSharedCount = 6;

// The part of a rule that counts earlier events (spec: rules, section 7).
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
    // In the order of evaluation, without decoded_as and the composite part. A stateful condition
    // is evaluated after the first `position` of the others.
    std::vector<Condition> conditions;
    std::vector<StatefulCondition> stateful_conditions;
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
