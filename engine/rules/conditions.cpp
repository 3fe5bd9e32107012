// The conditions that a rule can put on one event, in the order in which they are evaluated (spec:
// rules, sections 3 and 4). To add one, add a row; a pattern on a field needs nothing else.
#include <algorithm>
#include <array>
#include <ctime>
#include <memory>

#include <fmt/format.h>

#include "base/did_you_mean.hpp"
#include "engine/rules/address_list.hpp"
#include "engine/rules/compiled_rules.hpp"
#include "engine/rules/correlator.hpp"
#include "engine/rules/rule_reader.hpp"
#include "engine/rules/time_window.hpp"

namespace portcullis::rules {
namespace {

using event::Event;
using event::FieldId;
using pattern::Language;
using Nodes = std::span<const xml::Node>;
using Value = std::optional<std::string_view>;
using ValueOf = Value (*)(const Event&);

// What a pattern or list can look at.
Value log_of(const Event& event) { return event.log; }
Value hostname_of(const Event& event) { return event.hostname; }
Value program_name_of(const Event& event) { return event.program_name; }
template <FieldId Id>
Value field_of(const Event& event) {
    return event.field(Id);
}
Value user_of(const Event& event) {
    const Value& target = event.field(FieldId::DstUser);
    return target ? target : event.field(FieldId::SrcUser);
}
// OSSEC-COMPAT: lists look at the other user first.
Value list_user_of(const Event& event) {
    const Value& source = event.field(FieldId::SrcUser);
    return source ? source : event.field(FieldId::DstUser);
}

// What a check looks at, for people.
template <class ValueOf>
Condition looking_at(ValueOf value_of, std::optional<pattern::Pattern> pattern = std::nullopt) {
    Condition condition;
    condition.value = [value_of](const Event& event) -> std::optional<std::string> {
        const Value value = value_of(event);
        return value ? std::optional<std::string>(*value) : std::nullopt;
    };
    condition.pattern = std::move(pattern);
    return condition;
}

Condition changing_state() {
    Condition condition;
    condition.changes_state = true;
    return condition;
}

enum class Empty : std::uint8_t { Allowed, Error };

// A null value does not match.
template <ValueOf value_of, Language language, Empty empty = Empty::Allowed>
void compile_pattern(Nodes nodes, RuleReader& reader) {
    // Of an element and its _pcre2 twin the first one counts; url and url_pcre2 both do.
    constexpr std::string_view kSuffix = "pcre2";
    const std::string_view name = nodes.front().name();
    if (language == Language::Pcre2 && !equals_ignoring_case(name, "url_pcre2")) {
        const std::string_view twin = equals_ignoring_case(name, kSuffix)
                                          ? std::string_view("regex")
                                          : name.substr(0, name.size() - kSuffix.size() - 1);
        if (reader.has_element(twin)) {
            return;
        }
    }
    const JoinedText text = join(nodes);
    if (text.text().empty()) {
        if (empty == Empty::Error || language == Language::Pcre2) {
            reader.report(
                nodes.front().error("empty-pattern",
                                    fmt::format("<{}> is empty: it would match everything", name)),
                name);
            return;
        }
        reader.add_check(
            [](const CheckContext& context) { return value_of(context.event).has_value(); },
            looking_at(value_of));
        return;
    }
    if (const auto compiled = reader.compile_pattern(language, text)) {
        reader.add_check(
            [pattern = *compiled](const CheckContext& context) {
                const Value value = value_of(context.event);
                return value && pattern.matches(*value, context.scratch);
            },
            looking_at(value_of, *compiled));
    }
}

void compile_decoded_as(Nodes nodes, RuleReader& reader) {
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

void compile_action(Nodes nodes, RuleReader& reader) {
    reader.add_check(
        [text = join(nodes).text()](const CheckContext& context) {
            return context.event.field(FieldId::Action) == std::string_view(text);
        },
        looking_at(field_of<FieldId::Action>));
}

void compile_field(Nodes nodes, RuleReader& reader) {
    for (const xml::Node& node : nodes) {
        const xml::Attribute* name = node.find_attribute("name");
        if (name == nullptr) {
            reader.report(node.error("missing-attribute", "<field> needs the name of a field"),
                          node.name());
            continue;
        }
        const JoinedText text = join({&node, 1});
        const auto compiled = reader.compile_pattern(Language::OsRegex, text);
        if (!compiled) {
            continue;
        }
        const auto value_of = [field = name->value](const Event& event) -> Value {
            const auto& fields = event.dynamic_fields();
            const auto found = std::find_if(fields.begin(), fields.end(),
                                            [&](const event::DynamicField& candidate) {
                                                return equals_ignoring_case(candidate.name, field);
                                            });
            return found == fields.end() ? std::nullopt : Value(found->value);
        };
        reader.add_check(
            [pattern = *compiled, value_of](const CheckContext& context) {
                const Value value = value_of(context.event);
                return value && pattern.matches(*value, context.scratch);
            },
            looking_at(value_of, *compiled));
    }
}

template <FieldId Id>
void compile_addresses(Nodes nodes, RuleReader& reader) {
    AddressList list;
    for (const xml::Node& node : nodes) {
        if (!list.add(node.text())) {
            base::Diagnostic diagnostic = node.error_in_text(
                "bad-address", fmt::format("\"{}\" is no address or network", node.text()), 0,
                node.text().size());
            diagnostic.hint =
                "write 192.0.2.1, 192.0.2.0/24, 2001:db8::/32 or any, with a '!' "
                "before it to negate";
            reader.report(std::move(diagnostic), node.name());
        }
    }
    reader.add_check(
        [list = std::move(list)](const CheckContext& context) {
            const Value value = context.event.field(Id);
            return value && list.matches(*value);
        },
        looking_at(field_of<Id>));
}

void compile_compiled_rule(Nodes nodes, RuleReader& reader) {
    const xml::Node& node = nodes.back();
    if (const CompiledRule* compiled = find_compiled_rule(node.text())) {
        reader.add_check(
            [holds = compiled->holds](const CheckContext& context) { return holds(context); });
        return;
    }
    std::vector<std::string_view> names;
    for (const CompiledRule& row : compiled_rules()) {
        names.push_back(row.name);
    }
    base::Diagnostic diagnostic = node.error_in_text(
        "unknown-compiled-rule", fmt::format("there is no compiled rule \"{}\"", node.text()), 0,
        node.text().size());
    diagnostic.hint = base::did_you_mean(node.text(), names);
    reader.report(std::move(diagnostic), node.name());
}

std::tm local_time_of(const Event& event) {
    const std::time_t seconds =
        std::chrono::floor<std::chrono::seconds>(event.received).time_since_epoch().count();
    std::tm local{};
    localtime_r(&seconds, &local);
    return local;
}

void compile_time(Nodes nodes, RuleReader& reader) {
    const xml::Node& node = nodes.back();
    if (const auto window = TimeWindow::parse(node.text())) {
        Condition condition;
        condition.value = [](const Event& event) {
            const std::tm local = local_time_of(event);
            return fmt::format("{:02}:{:02}", local.tm_hour, local.tm_min);
        };
        reader.add_check(
            [window = *window](const CheckContext& context) {
                const std::tm local = local_time_of(context.event);
                return window.contains(local.tm_hour * 60 + local.tm_min);
            },
            std::move(condition));
        return;
    }
    base::Diagnostic diagnostic = node.error_in_text(
        "bad-time", fmt::format("\"{}\" is no time of day", node.text()), 0, node.text().size());
    diagnostic.hint = "write 18:30 - 6:00 or 6 pm - 8 am";
    reader.report(std::move(diagnostic), node.name());
}

void compile_weekday(Nodes nodes, RuleReader& reader) {
    const xml::Node& node = nodes.back();
    if (const auto days = Weekdays::parse(node.text())) {
        Condition condition;
        condition.value = [](const Event& event) {
            static constexpr std::array<const char*, 7> kDays{
                "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
            return std::string(kDays[static_cast<std::size_t>(local_time_of(event).tm_wday)]);
        };
        reader.add_check(
            [days = *days](const CheckContext& context) {
                return days.contains(local_time_of(context.event).tm_wday);
            },
            std::move(condition));
        return;
    }
    base::Diagnostic diagnostic = node.error_in_text(
        "bad-weekday", fmt::format("\"{}\" names no weekdays", node.text()), 0, node.text().size());
    diagnostic.hint = "write monday,tuesday or weekdays or weekends";
    reader.report(std::move(diagnostic), node.name());
}

void compile_check_diff(Nodes /*nodes*/, RuleReader& reader) {
    reader.rule().checks_difference = true;
    reader.add_check(
        [](const CheckContext& context) {
            return context.correlator.differs_from_last(context.rule, context.event);
        },
        changing_state());
}

void compile_if_fts(Nodes /*nodes*/, RuleReader& reader) {
    reader.add_check(
        [](const CheckContext& context) { return context.correlator.is_first_time(context.event); },
        changing_state());
}

// What <list field="…"> can name.
struct ListField {
    std::string_view name;
    ValueOf value_of;
};
constexpr std::array kListFields{
    ListField{"srcip", field_of<FieldId::SrcIp>},
    ListField{"srcport", field_of<FieldId::SrcPort>},
    ListField{"dstip", field_of<FieldId::DstIp>},
    ListField{"dstport", field_of<FieldId::DstPort>},
    ListField{"user", list_user_of},
    ListField{"url", field_of<FieldId::Url>},
    ListField{"id", field_of<FieldId::Id>},
    ListField{"hostname", hostname_of},
    ListField{"program_name", program_name_of},
    ListField{"status", field_of<FieldId::Status>},
    ListField{"action", field_of<FieldId::Action>},
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

void compile_list(const xml::Node& node, RuleReader& reader) {
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
    reader.add_check(
        [list = std::move(list), lookup, value_of = list_field->value_of,
         value_pattern](const CheckContext& context) {
            const Value key = value_of(context.event);
            if (!key || list == nullptr) {
                return false;
            }
            const auto found = lookup->by_address ? list->find_address(*key) : list->find(*key);
            const bool holds = found && (!lookup->checks_value ||
                                         value_pattern->matches(found->value, context.scratch));
            return holds != lookup->is_negated;
        },
        looking_at(list_field->value_of));
}

void compile_lists(Nodes nodes, RuleReader& reader) {
    for (const xml::Node& node : nodes) {
        compile_list(node, reader);
    }
}

// Builds without GeoIP: the value is never known.
void compile_never(Nodes nodes, RuleReader& reader) {
    base::Diagnostic warning = nodes.front().error(
        "no-geoip", fmt::format("the rule never matches: <{}> needs the place of an address, which "
                                "is not looked up",
                                nodes.front().name()));
    warning.severity = base::Severity::Warning;
    reader.report(std::move(warning), nodes.front().name());
    reader.add_check([](const CheckContext&) { return false; });
}

constexpr auto kOsMatch = Language::OsMatch;
constexpr auto kOsRegex = Language::OsRegex;
constexpr auto kPcre2 = Language::Pcre2;

constexpr std::array kConditions{
    ConditionRow{"decoded_as", kReplaced, compile_decoded_as, "name of the event's decoder"},
    ConditionRow{"program_name", kReplaced, compile_pattern<program_name_of, kOsMatch>,
                 "program of the log header (OS_Match)"},
    ConditionRow{"program_name_pcre2", kKept, compile_pattern<program_name_of, kPcre2>, "(PCRE2)"},
    ConditionRow{"id", kReplaced, compile_pattern<field_of<FieldId::Id>, kOsMatch>,
                 "decoded id (OS_Match)"},
    ConditionRow{"id_pcre2", kKept, compile_pattern<field_of<FieldId::Id>, kPcre2>, "(PCRE2)"},
    ConditionRow{"match", kReplaced, compile_pattern<log_of, kOsMatch>,
                 "the log without its header (OS_Match)"},
    ConditionRow{"match_pcre2", kKept, compile_pattern<log_of, kPcre2>, "(PCRE2)"},
    ConditionRow{"regex", kReplaced, compile_pattern<log_of, kOsRegex, Empty::Error>,
                 "the log without its header (OS_Regex)"},
    ConditionRow{"pcre2", kKept, compile_pattern<log_of, kPcre2>, "(PCRE2)"},
    ConditionRow{"action", kReplaced, compile_action, "decoded action, exactly"},
    ConditionRow{"url", kReplaced, compile_pattern<field_of<FieldId::Url>, kOsMatch>,
                 "decoded url (OS_Match)"},
    ConditionRow{"url_pcre2", kKept, compile_pattern<field_of<FieldId::Url>, kPcre2>, "(PCRE2)"},
    ConditionRow{"field", kKept, compile_field, "dynamic field of that name (OS_Regex)"},
    ConditionRow{"srcip", kReplaced, compile_addresses<FieldId::SrcIp>,
                 "address or network of srcip, '!' negates"},
    ConditionRow{"dstip", kReplaced, compile_addresses<FieldId::DstIp>,
                 "address or network of dstip, '!' negates"},
    ConditionRow{"srcport", kReplaced, compile_pattern<field_of<FieldId::SrcPort>, kOsMatch>,
                 "decoded srcport (OS_Match)"},
    ConditionRow{"srcport_pcre2", kKept, compile_pattern<field_of<FieldId::SrcPort>, kPcre2>,
                 "(PCRE2)"},
    ConditionRow{"dstport", kReplaced, compile_pattern<field_of<FieldId::DstPort>, kOsMatch>,
                 "decoded dstport (OS_Match)"},
    ConditionRow{"dstport_pcre2", kKept, compile_pattern<field_of<FieldId::DstPort>, kPcre2>,
                 "(PCRE2)"},
    ConditionRow{"compiled_rule", kReplaced, compile_compiled_rule, "a function of that name"},
    ConditionRow{"user", kReplaced, compile_pattern<user_of, kOsMatch>,
                 "dstuser, else srcuser (OS_Match)"},
    ConditionRow{"user_pcre2", kKept, compile_pattern<user_of, kPcre2>, "(PCRE2)"},
    ConditionRow{"srcgeoip", kKept, compile_never, "never matches: no GeoIP"},
    ConditionRow{"srcgeoip_pcre2", kKept, compile_never, "never matches: no GeoIP"},
    ConditionRow{"dstgeoip", kKept, compile_never, "never matches: no GeoIP"},
    ConditionRow{"dstgeoip_pcre2", kKept, compile_never, "never matches: no GeoIP"},
    ConditionRow{"time", kReplaced, compile_time, "local time of reception"},
    ConditionRow{"weekday", kReplaced, compile_weekday, "local weekday of reception"},
    ConditionRow{"extra_data", kReplaced, compile_pattern<field_of<FieldId::ExtraData>, kOsMatch>,
                 "decoded extra_data (OS_Match)"},
    ConditionRow{"extra_data_pcre2", kKept, compile_pattern<field_of<FieldId::ExtraData>, kPcre2>,
                 "(PCRE2)"},
    ConditionRow{"hostname", kReplaced, compile_pattern<hostname_of, kOsMatch>,
                 "host of the log header, else this one (OS_Match)"},
    ConditionRow{"hostname_pcre2", kKept, compile_pattern<hostname_of, kPcre2>, "(PCRE2)"},
    ConditionRow{"status", kReplaced, compile_pattern<field_of<FieldId::Status>, kOsMatch>,
                 "decoded status (OS_Match)"},
    ConditionRow{"status_pcre2", kKept, compile_pattern<field_of<FieldId::Status>, kPcre2>,
                 "(PCRE2)"},
    ConditionRow{"check_diff", kKept, compile_check_diff,
                 "the log differs from the last one of this host and rule"},
    ConditionRow{"if_fts", kKept, compile_if_fts, "the key of the decoder's <fts> is new"},
    ConditionRow{"list", kKept, compile_lists, "look-up in a list"},
};

}  // namespace

std::span<const ConditionRow> condition_rows() { return kConditions; }

}  // namespace portcullis::rules
