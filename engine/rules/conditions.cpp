// How conditions are evaluated, and the table of the elements that make them, in the order of their
// evaluation (spec: rules, sections 3 and 4). A pattern on a field is one row. Another kind of test
// is a struct in conditions.hpp, and here a row and a function that makes the test from the XML.
#include "engine/rules/conditions.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/did_you_mean.hpp"
#include "engine/rules/compiled_rules.hpp"
#include "engine/rules/correlator.hpp"
#include "engine/rules/rule_reader.hpp"

namespace portcullis::rules {
namespace {

using event::Event;
using event::FieldId;
using pattern::Language;
using Nodes = std::span<const xml::Node>;
using Value = std::optional<std::string_view>;

Value find_dynamic(const Event& event, std::string_view name) {
    const auto& fields = event.dynamic_fields();
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const event::DynamicField& candidate) {
            return equals_ignoring_case(candidate.name, name);
        });
    return found == fields.end() ? std::nullopt : Value(found->value);
}

Value first_of(const Event& event, FieldId first, FieldId second) {
    const Value& value = event.field(first);
    return value ? value : event.field(second);
}

// The text of the subject; nullopt = the event has none. An empty text for a subject of another
// kind.
inline Value find_value(const Condition& condition, const Event& event) {
    switch (condition.subject.kind) {
        case Subject::Kind::Log:
            return event.log;
        case Subject::Kind::Hostname:
            return event.hostname;
        case Subject::Kind::ProgramName:
            return event.program_name;
        case Subject::Kind::Field:
            return event.field(condition.subject.field);
        case Subject::Kind::DynamicField:
            return find_dynamic(event, condition.dynamic_field);
        case Subject::Kind::TargetUser:
            return first_of(event, FieldId::DstUser, FieldId::SrcUser);
        case Subject::Kind::SourceUser:
            return first_of(event, FieldId::SrcUser, FieldId::DstUser);
        case Subject::Kind::None:
        case Subject::Kind::TimeOfDay:
        case Subject::Kind::Weekday:
            break;
    }
    return std::string_view();
}

std::tm local_time_of(const Event& event) {
    const std::time_t seconds =
        std::chrono::floor<std::chrono::seconds>(event.received).time_since_epoch().count();
    std::tm local{};
    localtime_r(&seconds, &local);
    return local;
}

}  // namespace

bool IsInTimeWindow::holds(std::string_view /*value*/, const EventView& view) const {
    const std::tm local = local_time_of(view.event);
    return window.contains(local.tm_hour * 60 + local.tm_min);
}

bool IsOnWeekday::holds(std::string_view /*value*/, const EventView& view) const {
    return days.contains(local_time_of(view.event).tm_wday);
}

bool evaluate_any(const Condition& condition, const EventView& view) {
    const Value value = find_value(condition, view.event);
    return value && std::visit([&](const auto& test) { return test.holds(*value, view); },
                               condition.test) != condition.is_negated;
}

bool evaluate(const StatefulCondition& condition, const Rule& rule, const Event& event,
              Correlator& correlator) {
    switch (condition.test) {
        case StatefulCondition::Test::FirstTimeSeen:
            return correlator.take_first_time(event);
        case StatefulCondition::Test::DiffersFromLast:
            return correlator.replace_last_log(rule, event);
        case StatefulCondition::Test::FromCrawler:
            return comes_from_crawler(event, correlator.crawler_names());
    }
    return false;
}

std::optional<std::string> value_text(const Condition& condition, const Event& event) {
    static constexpr std::array<const char*, 7> kDays{"sunday",   "monday", "tuesday", "wednesday",
                                                      "thursday", "friday", "saturday"};
    switch (condition.subject.kind) {
        case Subject::Kind::None:
            return std::nullopt;
        case Subject::Kind::TimeOfDay: {
            const std::tm local = local_time_of(event);
            return fmt::format("{:02}:{:02}", local.tm_hour, local.tm_min);
        }
        case Subject::Kind::Weekday:
            return std::string(kDays[static_cast<std::size_t>(local_time_of(event).tm_wday)]);
        default:
            break;
    }
    const Value value = find_value(condition, event);
    return value ? std::optional<std::string>(*value) : std::nullopt;
}

const pattern::Pattern* pattern_of(const Condition& condition) {
    const auto* test = std::get_if<MatchesPattern>(&condition.test);
    return test == nullptr ? nullptr : &test->pattern;
}

namespace {

Condition make_condition(Subject subject, Test test) {
    Condition condition;
    condition.subject = subject;
    condition.test = std::move(test);
    return condition;
}

StatefulCondition make_stateful(StatefulCondition::Test test) {
    StatefulCondition condition;
    condition.test = test;
    return condition;
}

void compile_pattern(const ConditionRow& row, Nodes nodes, RuleReader& reader) {
    const JoinedText text = join(nodes);
    if (text.text().empty()) {
        if (*row.language != Language::OsMatch) {
            const std::string_view name = nodes.front().name();
            reader.report(
                nodes.front().error("empty-pattern",
                                    fmt::format("<{}> is empty: it would match everything", name)),
                name);
            return;
        }
        reader.add(make_condition(row.subject, HasValue{}), row, nodes);
        return;
    }
    if (auto compiled = reader.compile_pattern(*row.language, text)) {
        reader.add(make_condition(row.subject, MatchesPattern{*std::move(compiled)}), row, nodes);
    }
}

void compile_decoded_as(const ConditionRow& /*row*/, Nodes nodes, RuleReader& reader) {
    const xml::Node& node = nodes.back();  // the last one wins
    if (const auto id = reader.options().find_decoder_id(node.text())) {
        reader.rule().decoder_id = *id;
        reader.rule().decoded_as = node.text();
        return;
    }
    base::Diagnostic diagnostic = node.error_in_text(
        "unknown-decoder", fmt::format("there is no decoder \"{}\"", node.text()), 0,
        node.text().size());
    const auto& names = reader.options().decoder_names;
    diagnostic.hint = base::did_you_mean(node.text(), {names.begin(), names.end()});
    reader.report(std::move(diagnostic), node.name());
}

void compile_text(const ConditionRow& row, Nodes nodes, RuleReader& reader) {
    reader.add(make_condition(row.subject, EqualsText{join(nodes).text()}), row, nodes);
}

void compile_field(const ConditionRow& row, Nodes nodes, RuleReader& reader) {
    const xml::Node& node = nodes.front();
    const xml::Attribute* name = node.find_attribute("name");
    if (name == nullptr) {
        reader.report(node.error("missing-attribute", "<field> needs the name of a field"),
                      node.name());
        return;
    }
    if (auto compiled = reader.compile_pattern(*row.language, join(nodes))) {
        Condition condition = make_condition(row.subject, MatchesPattern{*std::move(compiled)});
        condition.dynamic_field = name->value;
        reader.add(std::move(condition), row, nodes);
    }
}

void compile_addresses(const ConditionRow& row, Nodes nodes, RuleReader& reader) {
    AddressList list;
    for (const xml::Node& node : nodes) {
        if (!list.add(node.text())) {
            base::Diagnostic diagnostic = node.error_in_text(
                "bad-address", fmt::format("\"{}\" is not an address or network", node.text()), 0,
                node.text().size());
            diagnostic.hint =
                "write 192.0.2.1, 192.0.2.0/24, 2001:db8::/32 or any, with a '!' "
                "before it to negate";
            reader.report(std::move(diagnostic), node.name());
        }
    }
    reader.add(make_condition(row.subject, MatchesAddress{std::move(list)}), row, nodes);
}

void compile_compiled_rule(const ConditionRow& row, Nodes nodes, RuleReader& reader) {
    const xml::Node& node = nodes.back();
    if (const CompiledRule* compiled = find_compiled_rule(node.text())) {
        if (const auto* function = std::get_if<SatisfiesFunction>(&compiled->test)) {
            reader.add(make_condition(row.subject, *function), row, nodes);
        } else {
            reader.add(make_stateful(std::get<StatefulCondition::Test>(compiled->test)), row,
                       nodes);
        }
        return;
    }
    std::vector<std::string_view> names;
    for (const CompiledRule& each : compiled_rules()) {
        names.push_back(each.name);
    }
    base::Diagnostic diagnostic = node.error_in_text(
        "unknown-compiled-rule", fmt::format("there is no compiled rule \"{}\"", node.text()), 0,
        node.text().size());
    diagnostic.hint = base::did_you_mean(node.text(), names);
    reader.report(std::move(diagnostic), node.name());
}

void compile_time(const ConditionRow& row, Nodes nodes, RuleReader& reader) {
    const xml::Node& node = nodes.back();
    if (const auto window = TimeWindow::parse(node.text())) {
        reader.add(make_condition(row.subject, IsInTimeWindow{*window}), row, nodes);
        return;
    }
    base::Diagnostic diagnostic = node.error_in_text(
        "bad-time", fmt::format("\"{}\" is not a time of day", node.text()), 0, node.text().size());
    diagnostic.hint = "write 18:30 - 6:00 or 6 pm - 8 am";
    reader.report(std::move(diagnostic), node.name());
}

void compile_weekday(const ConditionRow& row, Nodes nodes, RuleReader& reader) {
    const xml::Node& node = nodes.back();
    if (const auto days = Weekdays::parse(node.text())) {
        reader.add(make_condition(row.subject, IsOnWeekday{*days}), row, nodes);
        return;
    }
    base::Diagnostic diagnostic = node.error_in_text(
        "bad-weekday", fmt::format("\"{}\" names no weekdays", node.text()), 0, node.text().size());
    diagnostic.hint = "write monday,tuesday or weekdays or weekends";
    reader.report(std::move(diagnostic), node.name());
}

void compile_check_diff(const ConditionRow& row, Nodes nodes, RuleReader& reader) {
    reader.rule().checks_difference = true;
    reader.add(make_stateful(StatefulCondition::Test::DiffersFromLast), row, nodes);
}

void compile_if_fts(const ConditionRow& row, Nodes nodes, RuleReader& reader) {
    reader.add(make_stateful(StatefulCondition::Test::FirstTimeSeen), row, nodes);
}

constexpr Subject kLog{Subject::Kind::Log};
constexpr Subject kHostname{Subject::Kind::Hostname};
constexpr Subject kProgramName{Subject::Kind::ProgramName};
constexpr Subject kDynamicField{Subject::Kind::DynamicField};
constexpr Subject kTargetUser{Subject::Kind::TargetUser};
constexpr Subject kSourceUser{Subject::Kind::SourceUser};
constexpr Subject kTimeOfDay{Subject::Kind::TimeOfDay};
constexpr Subject kWeekday{Subject::Kind::Weekday};
constexpr Subject subject_of(FieldId field) { return {Subject::Kind::Field, field}; }

// The fields of <list field="…">.
struct ListField {
    std::string_view name;
    Subject subject;
};
constexpr std::array kListFields{
    ListField{"srcip", subject_of(FieldId::SrcIp)},
    ListField{"srcport", subject_of(FieldId::SrcPort)},
    ListField{"dstip", subject_of(FieldId::DstIp)},
    ListField{"dstport", subject_of(FieldId::DstPort)},
    // OSSEC-COMPAT: lists prefer the source user, <user> the target user.
    ListField{"user", kSourceUser},
    ListField{"url", subject_of(FieldId::Url)},
    ListField{"id", subject_of(FieldId::Id)},
    ListField{"hostname", kHostname},
    ListField{"program_name", kProgramName},
    ListField{"status", subject_of(FieldId::Status)},
    ListField{"action", subject_of(FieldId::Action)},
};

struct ListLookup {
    std::string_view name;
    bool by_address;
    bool is_negated;
    bool checks_value;
};
constexpr std::array kListLookups{
    ListLookup{"match_key", false, false, false},
    ListLookup{"not_match_key", false, true, false},
    ListLookup{"match_key_value", false, false, true},
    ListLookup{"address_match_key", true, false, false},
    ListLookup{"not_address_match_key", true, true, false},
    ListLookup{"address_match_key_value", true, false, true},
};

template <class Table>
auto find_row(const Table& table, const xml::Node& node, const xml::Attribute& attribute,
              RuleReader& reader) -> const typename Table::value_type* {
    const auto* found = std::find_if(table.begin(), table.end(),
                                     [&](const auto& row) { return row.name == attribute.value; });
    if (found != table.end()) {
        return found;
    }
    std::vector<std::string_view> names;
    names.reserve(std::size(table));
    for (const auto& row : table) {
        names.push_back(row.name);
    }
    base::Diagnostic diagnostic = node.error_in_attribute(
        attribute, "bad-list",
        fmt::format("a list has no {} \"{}\"", attribute.name, attribute.value));
    diagnostic.hint = base::did_you_mean(attribute.value, names);
    reader.report(std::move(diagnostic), node.name());
    return nullptr;
}

void compile_list(const ConditionRow& row, Nodes nodes, RuleReader& reader) {
    const xml::Node& node = nodes.front();
    const xml::Attribute* field = node.find_attribute("field");
    if (field == nullptr) {
        reader.report(node.error("missing-attribute", "<list> needs a field"), node.name());
        return;
    }
    const ListField* list_field = find_row(kListFields, node, *field, reader);
    const ListLookup* lookup = kListLookups.data();
    if (const xml::Attribute* named = node.find_attribute("lookup")) {
        lookup = find_row(kListLookups, node, *named, reader);
    }
    std::optional<pattern::Pattern> value_pattern;
    if (const xml::Attribute* check_value = node.find_attribute("check_value")) {
        auto compiled = pattern::Pattern::compile(Language::OsMatch, check_value->value);
        if (!compiled) {
            reader.report(
                node.error_in_attribute(*check_value, "bad-pattern", compiled.error().message),
                node.name());
            return;
        }
        value_pattern = std::move(*compiled);
    }
    if (list_field == nullptr || lookup == nullptr) {
        return;
    }
    if (lookup->checks_value && !value_pattern) {
        reader.report(
            node.error("missing-attribute", fmt::format("{} needs a check_value", lookup->name)),
            node.name());
        return;
    }
    const auto& find_list = reader.options().find_list;
    std::shared_ptr<const KeyValueList> list = find_list ? find_list(node.text()) : nullptr;
    if (list == nullptr) {
        reader.add(make_condition(list_field->subject, Never{}), row, nodes);
        return;
    }
    IsInList test{std::move(list), lookup->by_address, std::nullopt};
    if (lookup->checks_value) {
        test.value_pattern = std::move(value_pattern);
    }
    Condition condition = make_condition(list_field->subject, std::move(test));
    condition.is_negated = lookup->is_negated;
    reader.add(std::move(condition), row, nodes);
}

// Builds without GeoIP: the value is never known.
void compile_never(const ConditionRow& row, Nodes nodes, RuleReader& reader) {
    base::Diagnostic warning = nodes.front().error(
        "no-geoip", fmt::format("the rule never matches: <{}> needs the place of an address, which "
                                "is not looked up",
                                nodes.front().name()));
    warning.severity = base::Severity::Warning;
    reader.report(std::move(warning), nodes.front().name());
    reader.add(make_condition(row.subject, Never{}), row, nodes);
}

constexpr auto kOsMatch = Language::OsMatch;
constexpr auto kOsRegex = Language::OsRegex;

constexpr ConditionRow pattern_row(std::string_view name, Subject subject, Language language,
                                   std::string_view help) {
    return {name, kReplaced, compile_pattern, help, subject, language};
}

// OSSEC-COMPAT: of an element and its PCRE2 twin only the first one counts.
constexpr ConditionRow twin_row(std::string_view name, Subject subject, std::string_view twin) {
    return {name,    kKept,           compile_pattern,    "(PCRE2)",
            subject, Language::Pcre2, Repeated::Together, twin};
}

constexpr ConditionRow geoip_row(std::string_view name) {
    return {name, kKept, compile_never, "never matches: no GeoIP"};
}

constexpr ConditionRow geoip_twin_row(std::string_view name, std::string_view twin) {
    ConditionRow row = geoip_row(name);
    row.language = Language::Pcre2;
    row.ignored_beside = twin;
    return row;
}

constexpr std::array kConditions{
    ConditionRow{"decoded_as", kReplaced, compile_decoded_as, "name of the event's decoder"},
    pattern_row("program_name", kProgramName, kOsMatch, "program of the log header (OS_Match)"),
    twin_row("program_name_pcre2", kProgramName, "program_name"),
    pattern_row("id", subject_of(FieldId::Id), kOsMatch, "decoded id (OS_Match)"),
    twin_row("id_pcre2", subject_of(FieldId::Id), "id"),
    pattern_row("match", kLog, kOsMatch, "the log without its header (OS_Match)"),
    twin_row("match_pcre2", kLog, "match"),
    pattern_row("regex", kLog, kOsRegex, "the log without its header (OS_Regex)"),
    twin_row("pcre2", kLog, "regex"),
    ConditionRow{"action", kReplaced, compile_text, "decoded action, exactly",
                 subject_of(FieldId::Action)},
    pattern_row("url", subject_of(FieldId::Url), kOsMatch, "decoded url (OS_Match)"),
    twin_row("url_pcre2", subject_of(FieldId::Url), {}),  // OSSEC-COMPAT: it counts beside <url>
    ConditionRow{"field", kKept, compile_field, "dynamic field of that name (OS_Regex)",
                 kDynamicField, kOsRegex, Repeated::OneByOne},
    ConditionRow{"srcip", kReplaced, compile_addresses, "address or network of srcip, '!' negates",
                 subject_of(FieldId::SrcIp)},
    ConditionRow{"dstip", kReplaced, compile_addresses, "address or network of dstip, '!' negates",
                 subject_of(FieldId::DstIp)},
    pattern_row("srcport", subject_of(FieldId::SrcPort), kOsMatch, "decoded srcport (OS_Match)"),
    twin_row("srcport_pcre2", subject_of(FieldId::SrcPort), "srcport"),
    pattern_row("dstport", subject_of(FieldId::DstPort), kOsMatch, "decoded dstport (OS_Match)"),
    twin_row("dstport_pcre2", subject_of(FieldId::DstPort), "dstport"),
    ConditionRow{"compiled_rule", kReplaced, compile_compiled_rule, "a function of that name"},
    pattern_row("user", kTargetUser, kOsMatch, "dstuser, else srcuser (OS_Match)"),
    twin_row("user_pcre2", kTargetUser, "user"),
    geoip_row("srcgeoip"),
    geoip_twin_row("srcgeoip_pcre2", "srcgeoip"),
    geoip_row("dstgeoip"),
    geoip_twin_row("dstgeoip_pcre2", "dstgeoip"),
    ConditionRow{"time", kReplaced, compile_time, "local time of reception", kTimeOfDay},
    ConditionRow{"weekday", kReplaced, compile_weekday, "local weekday of reception", kWeekday},
    pattern_row("extra_data", subject_of(FieldId::ExtraData), kOsMatch,
                "decoded extra_data (OS_Match)"),
    twin_row("extra_data_pcre2", subject_of(FieldId::ExtraData), "extra_data"),
    pattern_row("hostname", kHostname, kOsMatch,
                "host of the log header, else this one (OS_Match)"),
    twin_row("hostname_pcre2", kHostname, "hostname"),
    pattern_row("status", subject_of(FieldId::Status), kOsMatch, "decoded status (OS_Match)"),
    twin_row("status_pcre2", subject_of(FieldId::Status), "status"),
    ConditionRow{"check_diff", kKept, compile_check_diff,
                 "the log differs from the last one of this host and rule"},
    ConditionRow{"if_fts", kKept, compile_if_fts, "the key of the decoder's <fts> is new"},
    ConditionRow{"list", kKept, compile_list, "look-up in a list", {}, {}, Repeated::OneByOne},
};

}  // namespace

std::span<const ConditionRow> condition_rows() { return kConditions; }

}  // namespace portcullis::rules
