#include "engine/rules/rule_reader.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "base/did_you_mean.hpp"

namespace portcullis::rules {
namespace {

using Nodes = std::span<const xml::Node>;

// Of one occurrence of a repeated element (spec: rules, section 3).
constexpr std::size_t kMaxPieceBytes = 2047;

bool names_row(const SettingRow& row, std::string_view name) {
    return row.name_case == NameCase::Exact ? row.name == name
                                            : equals_ignoring_case(row.name, name);
}

template <class Row>
void append_names(std::span<const Row> rows, std::vector<std::string_view>& names) {
    for (const Row& row : rows) {
        names.push_back(row.name);
    }
}

ConditionText describe(const ConditionRow& row, Nodes nodes, std::string_view separator) {
    ConditionText text{row.name, std::string(nodes.front().name()), {}};
    for (const xml::Attribute& attribute : nodes.front().attributes()) {
        text.element += fmt::format(" {}=\"{}\"", attribute.name, attribute.value);
    }
    for (const xml::Node& node : nodes) {
        text.demand += text.demand.empty() ? std::string_view() : separator;
        text.demand += node.text();
    }
    return text;
}

}  // namespace

std::optional<int> parse_digits(std::string_view text, std::size_t max_digits) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_number = !text.empty() && text.front() != '-' && error == std::errc{} &&
                           end == text.data() + text.size();
    return is_number && text.size() <= max_digits ? std::optional(value) : std::nullopt;
}

JoinedText join(std::span<const xml::Node> nodes) {
    JoinedText joined;
    for (const xml::Node& node : nodes) {
        joined.append(node);
    }
    return joined;
}

RuleDraft RuleReader::read(const xml::Node& node, std::string group_name) {
    RuleDraft draft;
    draft_ = &draft;
    draft.node = node;
    draft.group_name = std::move(group_name);
    draft.rule.timeframe = options_.default_timeframe;
    read_attributes(node);
    if (node.children().empty()) {
        report(node.error("empty-rule", "the rule has no elements"));
    }
    collect_elements(node);
    compile();
    draft_ = nullptr;
    return draft;
}

RuleDraft RuleReader::overwrite(const RuleDraft& original, const RuleDraft& replacement) {
    RuleDraft draft;
    draft_ = &draft;
    draft.node = replacement.node;
    draft.group_name = replacement.group_name;
    draft.rule.timeframe = options_.default_timeframe;
    draft.has_errors = original.has_errors || replacement.has_errors;
    if (draft.has_errors) {  // reported already, and not worth another look
        draft.rule = replacement.rule;
        draft.rule.composite.reset();  // the elements that name its history are missing here
        draft_ = nullptr;
        return draft;
    }
    is_rereading_ = true;
    read_attributes(replacement.node);
    const auto take = [&](const RuleDraft& from, OnOverwrite kind) {
        std::copy_if(from.elements.begin(), from.elements.end(), std::back_inserter(draft.elements),
                     [&](const RuleDraft::Element& e) { return e.on_overwrite() == kind; });
    };
    take(original, OnOverwrite::Kept);
    take(replacement, OnOverwrite::Replaced);
    compile();
    is_rereading_ = false;
    draft.rule.category = original.rule.category;
    draft.rule.index = original.rule.index;
    draft_ = nullptr;
    return draft;
}

void RuleReader::report(base::Diagnostic diagnostic, std::string_view element) {
    if (is_rereading_ && diagnostic.severity == base::Severity::Warning) {
        return;
    }
    std::string context = draft_->has_id ? fmt::format("rule {}", draft_->rule.id) : "rule";
    if (!element.empty()) {
        context += fmt::format(" > {}", element);
    }
    diagnostic.context = std::move(context);
    draft_->has_errors |= diagnostic.severity == base::Severity::Error;
    diagnostics_.add(std::move(diagnostic));
}

bool RuleReader::has_element(std::string_view name) const {
    return std::any_of(draft_->elements.begin(), draft_->elements.end(),
                       [&](const RuleDraft::Element& element) {
                           return equals_ignoring_case(element.node.name(), name);
                       });
}

std::optional<pattern::Pattern> RuleReader::compile_pattern(pattern::Language language,
                                                            const JoinedText& text) {
    auto compiled = pattern::Pattern::compile(language, text.text());
    if (compiled) {
        return *compiled;
    }
    const int column = compiled.error().place.column;
    const std::size_t offset =
        std::min(column > 0 ? static_cast<std::size_t>(column - 1) : 0, text.text().size());
    base::Diagnostic diagnostic = text.error("bad-pattern", compiled.error().message, offset,
                                             column > 0 ? 1 : text.text().size());
    diagnostic.hint = compiled.error().hint;
    report(std::move(diagnostic), text.element());
    return std::nullopt;
}

void RuleReader::read_attributes(const xml::Node& node) {
    // The id first: it is the context of all other messages.
    if (const xml::Attribute* id = node.find_attribute("id")) {
        if (const auto value = parse_digits(id->value, 6)) {
            draft_->rule.id = *value;
            draft_->has_id = true;
        }
    }
    for (const xml::Attribute& attribute : node.attributes()) {
        const auto rows = attribute_rows();
        const auto row = std::find_if(rows.begin(), rows.end(), [&](const AttributeRow& candidate) {
            return equals_ignoring_case(candidate.name, attribute.name);
        });
        if (row != rows.end()) {
            row->apply(node, attribute, *this);
            continue;
        }
        std::vector<std::string_view> names;
        append_names(rows, names);
        base::Diagnostic diagnostic =
            node.error_in_attribute(attribute, "unknown-attribute",
                                    fmt::format("a rule has no attribute \"{}\"", attribute.name));
        diagnostic.hint = base::did_you_mean(attribute.name, names);
        report(std::move(diagnostic));
    }
    if (node.find_attribute("id") == nullptr) {
        report(node.error("missing-attribute", "the rule has no id"));
    }
    if (node.find_attribute("level") == nullptr) {
        report(node.error("missing-attribute", "the rule has no level"));
    }
}

void RuleReader::collect_elements(const xml::Node& node) {
    const auto settings = setting_rows();
    const auto conditions = condition_rows();
    for (const xml::Node& child : node.children()) {
        const auto setting = std::find_if(settings.begin(), settings.end(), [&](const auto& row) {
            return names_row(row, child.name());
        });
        const auto condition = std::find_if(
            conditions.begin(), conditions.end(),
            [&](const ConditionRow& row) { return equals_ignoring_case(row.name, child.name()); });
        if (setting == settings.end() && condition == conditions.end()) {
            std::vector<std::string_view> names;
            append_names(settings, names);
            append_names(conditions, names);
            base::Diagnostic diagnostic = child.error(
                "unknown-element", fmt::format("a rule has no element \"{}\"", child.name()));
            diagnostic.hint = base::did_you_mean(child.name(), names);
            report(std::move(diagnostic));
            continue;
        }
        if (child.text().size() > kMaxPieceBytes) {
            report(child.error("too-long",
                               fmt::format("the text of this element has more than {} bytes; split "
                                           "it into several elements, they are joined",
                                           kMaxPieceBytes)),
                   child.name());
            continue;
        }
        draft_->elements.push_back({child, setting == settings.end() ? nullptr : &*setting,
                                    condition == conditions.end() ? nullptr : &*condition});
    }
}

void RuleReader::add(Condition condition, const ConditionRow& row, Nodes nodes) {
    // The pieces of a pattern are one text; of anything else there are several.
    const std::string_view separator = pattern_of(condition) != nullptr ? "" : ", ";
    static_cast<ConditionText&>(condition) = describe(row, nodes, separator);
    rule().conditions.push_back(std::move(condition));
}

void RuleReader::add(StatefulCondition condition, const ConditionRow& row, Nodes nodes) {
    static_cast<ConditionText&>(condition) = describe(row, nodes, ", ");
    condition.position = rule().conditions.size();
    rule().stateful_conditions.push_back(std::move(condition));
}

void RuleReader::compile() {
    Rule& result = rule();
    result.place = draft_->node.place();
    result.group = draft_->group_name;
    for (const RuleDraft::Element& element : draft_->elements) {
        if (element.setting != nullptr) {
            element.setting->apply(element.node, *this);
        }
    }
    for (const ConditionRow& row : condition_rows()) {
        if (!row.ignored_beside.empty() && has_element(row.ignored_beside)) {
            continue;
        }
        std::vector<xml::Node> nodes;
        for (const RuleDraft::Element& element : draft_->elements) {
            if (element.condition == &row) {
                nodes.push_back(element.node);
            }
        }
        const std::size_t step = row.repeated == Repeated::OneByOne ? 1 : nodes.size();
        for (std::size_t i = 0; i < nodes.size(); i += step) {
            row.compile(row, Nodes(nodes).subspan(i, step), *this);
        }
    }
    finish_composite();

    result.is_root = draft_->has_id && result.id < 10;
    result.logs = draft_->log.value_or(result.level >= options_.log_alert_level);
    result.mails = draft_->mail.value_or(result.level >= options_.email_alert_level);
}

// Which history the rule searches: sid before group before regex (spec: rules, section 7.1).
void RuleReader::finish_composite() {
    RuleDraft& draft = *draft_;
    const Composite part = draft.rule.composite.value_or(Composite{});
    draft.rule.composite.reset();
    const bool is_composite = draft.if_matched_sid.is_present() ||
                              draft.if_matched_group.is_present() ||
                              draft.if_matched_regex.is_present();
    if (!is_composite) {
        if (draft.rule.checks_difference) {
            return;
        }
        if (draft.composite_only) {
            report(
                draft.composite_only->error(
                    "not-composite", fmt::format("<{}> needs an if_matched_sid, if_matched_group "
                                                 "or if_matched_regex in the same rule",
                                                 draft.composite_only->name())),
                draft.composite_only->name());
        } else if (draft.has_frequency) {
            report(draft.node.error("not-composite",
                                    "frequency needs an if_matched_sid, if_matched_group or "
                                    "if_matched_regex in the same rule"));
        }
        return;
    }
    Composite composite = part;
    if (draft.if_matched_sid.is_present()) {
        const auto sid = parse_digits(draft.if_matched_sid.text(), 6);
        if (!sid) {
            report(draft.if_matched_sid.error("bad-number",
                                              "if_matched_sid takes one rule id of digits", 0,
                                              draft.if_matched_sid.text().size()),
                   "if_matched_sid");
            return;
        }
        composite.history = Composite::History::Sid;
        composite.sid = *sid;
    } else if (draft.if_matched_group.is_present()) {
        composite.history = Composite::History::Group;
        composite.pattern = compile_pattern(pattern::Language::OsMatch, draft.if_matched_group);
    } else {
        composite.history = Composite::History::Regex;
        composite.pattern = compile_pattern(pattern::Language::OsRegex, draft.if_matched_regex);
    }
    if (composite.history == Composite::History::Sid || composite.pattern) {
        draft.rule.composite = std::move(composite);
    }
}

}  // namespace portcullis::rules
