// RuleDraft and RuleReader: one <rule> while it is read. Used by the loader and by lint.
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

// Whether an overwriting rule replaces an element of the original (spec: rules, section 6).
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
    std::optional<pattern::Language> language = {};  // of its text; nullopt = it is not a pattern
};

// Whether several elements of the same name are one condition or one each.
enum class Repeated : std::uint8_t { Together, OneByOne };

struct ConditionRow {
    std::string_view name;
    OnOverwrite on_overwrite;
    // `nodes`: all occurrences, at least one, in document order; one of Repeated::OneByOne.
    void (*compile)(const ConditionRow& row, std::span<const xml::Node> nodes, RuleReader& reader);
    std::string_view help;
    Subject subject = {};                            // None: the row's function decides
    std::optional<pattern::Language> language = {};  // of its text; nullopt = it is not a pattern
    Repeated repeated = Repeated::Together;
    // If the rule has an element of this name, this one is ignored; empty = there is none.
    std::string_view ignored_beside = {};
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
        // Of the pattern that it holds; nullopt = it holds something else.
        std::optional<pattern::Language> language() const {
            return setting != nullptr ? setting->language : condition->language;
        }
    };

    xml::Node node;
    std::string group_name;  // of the <group> around it
    std::vector<Element> elements;
    bool has_errors = false;

    // Results of reading:
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
    // Set by <options>; the last one of a pair wins. nullopt = the level decides.
    std::optional<bool> log;
    std::optional<bool> mail;
};

class RuleReader {
  public:
    RuleReader(const RuleOptions& options, base::Diagnostics& diagnostics)
        : options_(options), diagnostics_(diagnostics) {}

    // Reads <rule> `node`. Reports errors, and sets has_errors of the draft.
    RuleDraft read(const xml::Node& node, std::string group_name);
    // A new draft: `original` overwritten by `replacement`, at the place of the replacement.
    RuleDraft overwrite(const RuleDraft& original, const RuleDraft& replacement);

    // For the rows of the tables:
    RuleDraft& draft() { return *draft_; }
    Rule& rule() { return draft_->rule; }
    const RuleOptions& options() const { return options_; }
    // Reports `diagnostic` in the context of this rule and, if given, one of its elements.
    void report(base::Diagnostic diagnostic, std::string_view element = {});
    // Compiles `text`. nullopt = it is not a valid pattern, which was reported.
    std::optional<pattern::Pattern> compile_pattern(pattern::Language language,
                                                    const JoinedText& text);
    // Adds a condition of `row`; its name, element and demand are taken from `row` and `nodes`.
    void add(Condition condition, const ConditionRow& row, std::span<const xml::Node> nodes);
    void add(StatefulCondition condition, const ConditionRow& row,
             std::span<const xml::Node> nodes);

  private:
    void read_attributes(const xml::Node& node);
    void collect_elements(const xml::Node& node);
    bool has_element(std::string_view name) const;
    // Applies the collected elements to the rule.
    void compile();
    void finish_composite();

    const RuleOptions& options_;
    base::Diagnostics& diagnostics_;
    RuleDraft* draft_ = nullptr;
    bool is_rereading_ = false;  // its warnings were reported before
};

// Digits only, at most `max_digits` of them; nullopt = something else.
std::optional<int> parse_digits(std::string_view text, std::size_t max_digits);
using base::equals_ignoring_case;
// The text of all `nodes`, joined.
JoinedText join(std::span<const xml::Node> nodes);

}  // namespace portcullis::rules
