// The elements of <rule> that are not conditions on one event: its place in the tree, conditions on
// earlier events, and the content of the alert (spec: rules, section 3). They are applied one by
// one, in document order. To add one, add a function and a row.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/did_you_mean.hpp"
#include "engine/rules/rule_reader.hpp"

namespace portcullis::rules {
namespace {

template <JoinedText RuleDraft::*Text>
void append_text(const xml::Node& node, RuleReader& reader) {
    (reader.draft().*Text).append(node);
}

// For elements that hold numbers: joined, "5700" and "5701" become "57005701".
template <JoinedText RuleDraft::*Text>
void append_ids(const xml::Node& node, RuleReader& reader) {
    JoinedText& text = reader.draft().*Text;
    const bool is_split = text.text().empty() || node.text().empty() ||
                          text.text().find_last_of(", ") == text.text().size() - 1 ||
                          node.text().find_first_of(", ") == 0;
    text.append(node);
    if (!is_split) {
        base::Diagnostic diagnostic = node.error_in_text(
            "glued-ids", fmt::format("repeated elements are joined as they are: this rule asks for "
                                     "\"{}\"",
                                     text.text()));
        diagnostic.severity = base::Severity::Warning;
        diagnostic.hint = "write all ids in one element, with commas between them";
        reader.report(std::move(diagnostic), node.name());
    }
}

void apply_category(const xml::Node& node, RuleReader& reader) {
    static constexpr std::array<std::string_view, 7> kCategories{
        "syslog", "firewall", "ids", "web-log", "squid", "windows", "ossec"};
    const auto* found = std::find(kCategories.begin(), kCategories.end(), node.text());
    if (found == kCategories.end()) {
        base::Diagnostic diagnostic = node.error_in_text(
            "bad-category", fmt::format("there is no category \"{}\"", node.text()), 0,
            node.text().size());
        diagnostic.hint = base::did_you_mean(node.text(), {kCategories.begin(), kCategories.end()});
        reader.report(std::move(diagnostic), node.name());
        return;
    }
    reader.rule().category = *event::find_event_type(*found);
}

Composite& composite_of(RuleReader& reader) {
    auto& composite = reader.rule().composite;
    return composite ? *composite : composite.emplace();
}

void note_composite_only(const xml::Node& node, RuleReader& reader) {
    if (!reader.draft().composite_only) {
        reader.draft().composite_only = node;
    }
}

template <Shared Field>
void demand_same(const xml::Node& node, RuleReader& reader) {
    note_composite_only(node, reader);
    composite_of(reader).shared.set(static_cast<std::size_t>(Field));
}

// OSSEC-COMPAT: not_same_* cancels an earlier same_* of the rule and is not a condition itself.
template <Shared Field>
void cancel_same(const xml::Node& /*node*/, RuleReader& reader) {
    composite_of(reader).shared.reset(static_cast<std::size_t>(Field));
}

void demand_different_url(const xml::Node& node, RuleReader& reader) {
    note_composite_only(node, reader);
    composite_of(reader).different_url = true;
}

// OSSEC-COMPAT: accepted and never evaluated; lint warns about it.
void accept_without_effect(const xml::Node& node, RuleReader& reader) {
    note_composite_only(node, reader);
}

void apply_options(const xml::Node& node, RuleReader& reader) {
    struct Option {
        std::string_view name;
        void (*apply)(RuleDraft&);
    };
    static constexpr std::array kOptions{
        Option{"alert_by_email", [](RuleDraft& draft) { draft.mail = true; }},
        Option{"no_email_alert", [](RuleDraft& draft) { draft.mail = false; }},
        Option{"log_alert", [](RuleDraft& draft) { draft.log = true; }},
        Option{"no_log", [](RuleDraft& draft) { draft.log = false; }},
        Option{"no_ar", [](RuleDraft& draft) { draft.rule.no_response = true; }},
    };
    const auto* found = std::find_if(kOptions.begin(), kOptions.end(), [&](const Option& option) {
        return option.name == node.text();
    });
    if (found != kOptions.end()) {
        found->apply(reader.draft());
        return;
    }
    base::Diagnostic diagnostic = node.error_in_text(
        "bad-option", fmt::format("there is no option \"{}\"", node.text()), 0, node.text().size());
    diagnostic.hint = node.text().find(',') != std::string_view::npos
                          ? "one option for each <options>; repeat the element"
                          : base::did_you_mean(node.text(), {"alert_by_email", "no_email_alert",
                                                             "log_alert", "no_log", "no_ar"});
    reader.report(std::move(diagnostic), node.name());
}

void append_description(const xml::Node& node, RuleReader& reader) {
    std::string& description = reader.rule().description;
    description += node.text();
    if (const std::size_t newline = description.find('\n'); newline != std::string::npos) {
        description[newline] = ' ';
    }
}

void append_group(const xml::Node& node, RuleReader& reader) { reader.rule().group += node.text(); }

void append_information(const xml::Node& node, RuleReader& reader) {
    struct Kind {
        std::string_view name;
        Information::Kind kind;
    };
    static constexpr std::array kKinds{
        Kind{"text", Information::Kind::Text}, Kind{"link", Information::Kind::Link},
        Kind{"cve", Information::Kind::Cve}, Kind{"osvdb", Information::Kind::Osvdb}};
    Information information{Information::Kind::Text, std::string(node.text())};
    for (const xml::Attribute& attribute : node.attributes()) {
        const auto* found = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) {
            return equals_ignoring_case(kind.name, attribute.value);
        });
        if (!equals_ignoring_case(attribute.name, "type") || found == kKinds.end()) {
            reader.report(node.error_in_attribute(attribute, "unknown-attribute",
                                                  "info takes type=\"text\", \"link\", \"cve\" or "
                                                  "\"osvdb\""),
                          node.name());
            return;
        }
        information.kind = found->kind;
    }
    reader.rule().information.push_back(std::move(information));
}

void append_cve(const xml::Node& node, RuleReader& reader) { reader.rule().cve += node.text(); }

template <IgnoreParts Rule::*Parts>
void apply_ignore(const xml::Node& node, RuleReader& reader) {
    struct Word {
        std::string_view word;
        IgnorePart part;
    };
    // A word counts anywhere in the text.
    static constexpr std::array kWords{
        Word{"user", IgnorePart::User},         Word{"srcip", IgnorePart::SrcIp},
        Word{"dstip", IgnorePart::DstIp},       Word{"id", IgnorePart::Id},
        Word{"location", IgnorePart::Location}, Word{"data", IgnorePart::Data},
        Word{"name", IgnorePart::Name},
    };
    IgnoreParts& parts = reader.rule().*Parts;
    for (const Word& word : kWords) {
        if (node.text().find(word.word) != std::string_view::npos) {
            parts.set(static_cast<std::size_t>(word.part));
        }
    }
    if (parts.none()) {
        reader.report(node.error_in_text("bad-value",
                                         "takes a list of user, srcip, dstip, id, location, data "
                                         "and name",
                                         0, node.text().size()),
                      node.name());
    }
}

constexpr auto kAny = NameCase::Ignored;
constexpr auto kExact = NameCase::Exact;

constexpr std::array kSettings{
    // The place in the tree.
    SettingRow{"category", kAny, kKept, apply_category, "kind of log: picks the root rule"},
    SettingRow{"if_sid", kAny, kKept, append_ids<&RuleDraft::if_sid>, "child of these rules"},
    SettingRow{"if_level", kAny, kKept, append_ids<&RuleDraft::if_level>,
               "child of all rules of this level or more"},
    SettingRow{"if_group", kAny, kKept, append_text<&RuleDraft::if_group>,
               "child of all rules whose group string contains this"},
    // Earlier events.
    SettingRow{"if_matched_sid", kAny, kKept, append_ids<&RuleDraft::if_matched_sid>,
               "counts events whose result was this rule"},
    SettingRow{"if_matched_group", kAny, kKept, append_text<&RuleDraft::if_matched_group>,
               "counts events whose result is of a group like this", pattern::Language::OsMatch},
    SettingRow{"if_matched_regex", kAny, kReplaced, append_text<&RuleDraft::if_matched_regex>,
               "counts events whose log matches this OS_Regex", pattern::Language::OsRegex},
    SettingRow{"same_source_ip", kAny, kReplaced, demand_same<Shared::SrcIp>,
               "counted events have the same srcip"},
    SettingRow{"same_src_port", kAny, kReplaced, demand_same<Shared::SrcPort>,
               "… the same srcport"},
    SettingRow{"same_dst_port", kAny, kReplaced, demand_same<Shared::DstPort>,
               "… the same dstport"},
    SettingRow{"same_user", kAny, kReplaced, demand_same<Shared::User>, "… the same dstuser"},
    SettingRow{"same_location", kAny, kReplaced, demand_same<Shared::Location>,
               "… the same hostname"},
    SettingRow{"same_id", kExact, kReplaced, demand_same<Shared::Id>, "… the same id"},
    SettingRow{"different_url", kExact, kReplaced, demand_different_url, "… another url"},
    SettingRow{"different_srcip", kExact, kReplaced, accept_without_effect, "has no effect"},
    SettingRow{"different_srcgeoip", kExact, kReplaced, accept_without_effect, "has no effect"},
    SettingRow{"not_same_source_ip", kAny, kReplaced, cancel_same<Shared::SrcIp>,
               "takes back same_source_ip"},
    SettingRow{"not_same_user", kAny, kReplaced, cancel_same<Shared::User>, "takes back same_user"},
    SettingRow{"not_same_agent", kAny, kReplaced, cancel_same<Shared::Location>,
               "takes back same_location"},
    SettingRow{"not_same_id", kExact, kReplaced, cancel_same<Shared::Id>, "takes back same_id"},
    // The alert.
    SettingRow{"options", kAny, kReplaced, apply_options,
               "alert_by_email, no_email_alert, log_alert, no_log or no_ar"},
    SettingRow{"description", kAny, kReplaced, append_description, "what the alert says"},
    SettingRow{"group", kAny, kReplaced, append_group, "appended to the group string"},
    SettingRow{"info", kAny, kKept, append_information, "text shown with the rule"},
    SettingRow{"cve", kAny, kReplaced, append_cve, "CVE name"},
    SettingRow{"ignore", kAny, kKept, apply_ignore<&Rule::ignore>,
               "after an alert, remembers these fields for check_if_ignored"},
    SettingRow{"check_if_ignored", kAny, kKept, apply_ignore<&Rule::check_if_ignored>,
               "drops an event whose fields are remembered"},
};

}  // namespace

std::span<const SettingRow> setting_rows() { return kSettings; }

}  // namespace portcullis::rules
