// RuleDraft and RuleReader: one <rule> while it is read. Internal to the loader.
//
// Elements are rows of two tables: settings (rule_settings.cpp) are applied one by one in document
// order; conditions (conditions.cpp) are compiled in the order in which the rule will evaluate
// them, each with all its occurrences at once, since repeated elements are joined.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.hpp"
#include "base/diagnostic.hpp"
#include "engine/pattern/pattern.hpp"
#include "engine/rules/rule.hpp"
#include "engine/rules/rule_loader.hpp"
#include "engine/xml/document.hpp"
#include "engine/xml/joined_text.hpp"

namespace portcullis::rules {

using xml::JoinedText;

class RuleReader;

// What becomes of the original rule's element when it is overwritten (spec: rules, section 6).
enum class OnOverwrite : std::uint8_t { Replaced, Kept };
inline constexpr auto kReplaced = OnOverwrite::Replaced;
// OSSEC-COMPAT: overwriting leaves the PCRE2 patterns, fields and lists of the original as they
// are.
inline constexpr auto kKept = OnOverwrite::Kept;
enum class NameCase : std::uint8_t { Ignored, Exact };

struct SettingRow {
    std::string_view name;
    NameCase name_case;
    OnOverwrite on_overwrite;
    void (*apply)(const xml::Node& node, RuleReader& reader);
    std::string_view help;
};

struct ConditionRow {
    std::string_view name;
    OnOverwrite on_overwrite;
    // `nodes`: all occurrences, at least one, in document order.
    void (*compile)(std::span<const xml::Node> nodes, RuleReader& reader);
    std::string_view help;
};

struct AttributeRow {
    std::string_view name;
    void (*apply)(const xml::Node& rule, const xml::Attribute& attribute, RuleReader& reader);
    std::string_view help;
};

std::span<const SettingRow> setting_rows();
std::span<const ConditionRow> condition_rows();  // in the order of evaluation
std::span<const AttributeRow> attribute_rows();

struct RuleDraft {
    struct Element {
        xml::Node node;
        const SettingRow* setting;  // one of the two is set
        const ConditionRow* condition;
        OnOverwrite on_overwrite() const {
            return setting != nullptr ? setting->on_overwrite : condition->on_overwrite;
        }
    };

    xml::Node node;
    std::string group_name;  // of the <group> around it
    std::vector<Element> elements;
    bool has_errors = false;

    // What reading made of it:
    Rule rule;
    bool has_id = false;
    bool has_level = false;
    bool overwrites = false;
    JoinedText if_sid;
    JoinedText if_level;
    JoinedText if_group;
    JoinedText if_matched_sid;
    JoinedText if_matched_group;
    JoinedText if_matched_regex;
    bool has_frequency = false;
    // The first element that only a composite rule may have.
    std::optional<xml::Node> composite_only;
    // What <options> say, the last one of a pair wins; nullopt = the level decides.
    std::optional<bool> log;
    std::optional<bool> mail;
};

class RuleReader {
  public:
    RuleReader(const RuleOptions& options, base::Diagnostics& diagnostics)
        : options_(options), diagnostics_(diagnostics) {}

    // Reads <rule> `node`; what is wrong is reported, and draft.has_errors set.
    RuleDraft read(const xml::Node& node, std::string group_name);
    // `original` overwritten by `replacement`: a draft of its own, at the place of the replacement.
    RuleDraft overwrite(const RuleDraft& original, const RuleDraft& replacement);

    // For the rows of the tables:
    RuleDraft& draft() { return *draft_; }
    Rule& rule() { return draft_->rule; }
    const RuleOptions& options() const { return options_; }
    // Reports `diagnostic` in the context of this rule and, if given, one of its elements.
    void report(base::Diagnostic diagnostic, std::string_view element = {});
    bool has_element(std::string_view name) const;
    // Compiles `text`; reports what is wrong with it. nullopt = it was reported.
    std::optional<pattern::Pattern> compile_pattern(pattern::Language language,
                                                    const JoinedText& text);
    // Adds a check of the row that is being compiled. `looked_at` is what it sees of the event, for
    // people; element and demand are filled in from the XML.
    void add_check(Check check, Condition looked_at = {});

  private:
    void read_attributes(const xml::Node& node);
    void collect_elements(const xml::Node& node);
    // Says what the checks from `first` on demand, which `nodes` gave.
    void describe_checks(std::span<const xml::Node> nodes, std::size_t first);
    // Applies the collected elements to the rule.
    void compile();
    void finish_composite();

    const RuleOptions& options_;
    base::Diagnostics& diagnostics_;
    RuleDraft* draft_ = nullptr;
    bool is_rereading_ = false;  // its warnings have been given
};

// Digits only, at most `max_digits` of them; nullopt = something else.
std::optional<int> parse_digits(std::string_view text, std::size_t max_digits);
using base::equals_ignoring_case;
// The text of all `nodes`, joined.
JoinedText join(std::span<const xml::Node> nodes);

}  // namespace portcullis::rules
