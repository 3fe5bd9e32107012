#include "engine/rules/rule_lint.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "base/did_you_mean.hpp"
#include "engine/pattern/pattern_lint.hpp"
#include "engine/rules/key_value_list.hpp"
#include "engine/rules/reachability.hpp"
#include "engine/rules/written_rule.hpp"

namespace portcullis::rules {
namespace {

constexpr int kHighestLevel = 16;

using base::lower;

// The name of a file without its folders.
std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// not_same_* and the element that each cancels.
struct Cancelling {
    std::string_view name;
    std::string_view cancels;
};
constexpr std::array kCancelling{
    Cancelling{"not_same_source_ip", "same_source_ip"},
    Cancelling{"not_same_user", "same_user"},
    Cancelling{"not_same_agent", "same_location"},
    Cancelling{"not_same_id", "same_id"},
};
constexpr std::array<std::string_view, 2> kNeverEvaluated{"different_srcip", "different_srcgeoip"};

class RuleLint {
  public:
    RuleLint(const std::vector<xml::Document>& documents, const RuleSet& rules,
             const RuleLintOptions& options, base::Diagnostics& diagnostics)
        : rules_(rules),
          options_(options),
          diagnostics_(diagnostics),
          written_(read_written_rules(documents, options.replaces_whole_rules)) {}

    void run();

  private:
    void warn(const WrittenRule& rule, std::string_view element, base::Diagnostic diagnostic,
              std::string hint = {});
    void look_at_attributes(const Rule& rule, const WrittenRule& written);
    void look_at_elements_without_effect(const WrittenRule& written);
    void look_at_twins(const WrittenRule& written);
    void look_at_patterns(const WrittenRule& written);
    void look_at_texts(const WrittenRule& written);
    void look_at_lists(const WrittenRule& written);
    void look_at_category(const Rule& rule, const WrittenRule& written);
    void look_at_group(const WrittenRule& written);
    void look_at_composite(const Rule& rule, const WrittenRule& written);
    void report_unreachable(const Unreachable& found);
    std::string place_of(const Rule& rule) const;

    const RuleSet& rules_;
    const RuleLintOptions& options_;
    base::Diagnostics& diagnostics_;
    std::map<int, WrittenRule> written_;
    std::set<std::string, std::less<>> groups_;  // each single group name
};

void RuleLint::warn(const WrittenRule& rule, std::string_view element, base::Diagnostic diagnostic,
                    std::string hint) {
    diagnostic.severity = base::Severity::Warning;
    diagnostic.context = fmt::format("rule {}", rule.id);
    if (!element.empty()) {
        diagnostic.context += fmt::format(" > {}", element);
    }
    if (!hint.empty()) {
        diagnostic.hint = std::move(hint);
    }
    diagnostics_.add(std::move(diagnostic));
}

std::string RuleLint::place_of(const Rule& rule) const {
    return rule.place.file.empty() ? std::string("built in")
                                   : fmt::format("{}:{}", rule.place.file, rule.place.line);
}

void RuleLint::run() {
    for (const Rule& rule : rules_.rules()) {
        std::string_view rest = rule.group;
        while (!rest.empty()) {
            const std::size_t comma = std::min(rest.find(','), rest.size());
            groups_.insert(lower(rest.substr(0, comma)));
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    for (const Rule& rule : rules_.rules()) {
        const auto found = written_.find(rule.id);
        if (found == written_.end()) {
            continue;  // a built-in root rule
        }
        const WrittenRule& written = found->second;
        look_at_attributes(rule, written);
        look_at_elements_without_effect(written);
        look_at_twins(written);
        look_at_patterns(written);
        look_at_texts(written);
        look_at_lists(written);
        look_at_category(rule, written);
        look_at_group(written);
        look_at_composite(rule, written);
    }
    for (const Unreachable& found : find_unreachable_rules(rules_, options_)) {
        report_unreachable(found);
    }
}

void RuleLint::look_at_attributes(const Rule& rule, const WrittenRule& written) {
    const xml::Node& node = written.node;
    if (const xml::Attribute* noalert = node.find_attribute("noalert");
        noalert != nullptr && (noalert->value == "0" || lower(noalert->value) == "no")) {
        warn(written, {},
             node.error_in_attribute(*noalert, "noalert-is-on",
                                     fmt::format("noalert=\"{}\" switches noalert on, as any value "
                                                 "does",
                                                 noalert->value)),
             "leave the attribute out to let the rule alert");
    }
    if (const xml::Attribute* size = node.find_attribute("maxsize"); size != nullptr) {
        warn(written, {},
             node.error_in_attribute(*size, "maxsize-is-minimum",
                                     fmt::format("despite its name this is a minimum: the rule "
                                                 "matches logs of {} bytes or more",
                                                 rule.minimum_log_size)));
    }
    if (const xml::Attribute* level = node.find_attribute("level");
        level != nullptr && rule.level > kHighestLevel) {
        warn(written, {},
             node.error_in_attribute(*level, "level-too-high",
                                     fmt::format("levels go up to {}", kHighestLevel)));
    }
}

void RuleLint::look_at_elements_without_effect(const WrittenRule& written) {
    for (const RuleDraft::Element& element : written.elements) {
        const std::string name = lower(element.node.name());
        if (std::find(kNeverEvaluated.begin(), kNeverEvaluated.end(), name) !=
            kNeverEvaluated.end()) {
            warn(written, name,
                 element.node.error("no-effect",
                                    fmt::format("<{}> is accepted but never evaluated", name)));
        }
        const auto* const row =
            std::find_if(kCancelling.begin(), kCancelling.end(),
                         [&](const Cancelling& candidate) { return candidate.name == name; });
        if (row == kCancelling.end()) {
            continue;
        }
        const bool cancels = written.find(row->cancels) != nullptr;
        warn(written, name,
             element.node.error(
                 "no-effect",
                 cancels ? fmt::format("<{}> only takes back the <{}> of this rule: it demands "
                                       "nothing of the events",
                                       name, row->cancels)
                         : fmt::format("<{}> demands nothing of the events", name)),
             cancels ? "leave both out" : "leave it out; there is no condition \"not the same\"");
    }
    for (const xml::Node& lost : written.lost) {
        warn(written, lost.name(),
             lost.error("kept-by-overwrite",
                        fmt::format("overwrite does not replace <{}>: the rule keeps what it "
                                    "had before",
                                    lost.name())),
             "<full_overwrite>yes</full_overwrite> in <rules> replaces the whole rule");
    }
}

void RuleLint::look_at_twins(const WrittenRule& written) {
    std::set<const ConditionRow*> reported;
    for (const RuleDraft::Element& element : written.elements) {
        const ConditionRow* row = element.condition;
        if (row == nullptr || row->ignored_beside.empty() ||
            written.find(row->ignored_beside) == nullptr || !reported.insert(row).second) {
            continue;
        }
        warn(written, row->name,
             element.node.error("ignored-element",
                                fmt::format("<{}> is ignored, since there is a <{}>", row->name,
                                            row->ignored_beside)));
    }
}

void RuleLint::look_at_patterns(const WrittenRule& written) {
    struct WrittenPattern {
        pattern::Language language;
        JoinedText text;
    };
    std::map<std::string, WrittenPattern> patterns;
    for (const RuleDraft::Element& element : written.elements) {
        const auto language = element.language();
        if (!language) {
            continue;
        }
        std::string key = lower(element.node.name());
        if (element.condition != nullptr && element.condition->repeated == Repeated::OneByOne) {
            key += fmt::format(" {}", patterns.size());
        }
        auto& pattern =
            patterns.try_emplace(std::move(key), WrittenPattern{*language, {}}).first->second;
        pattern.text.append(element.node);
    }
    for (const auto& [key, pattern] : patterns) {
        const JoinedText& text = pattern.text;
        if (text.text().empty()) {
            continue;
        }
        for (auto& finding : pattern::lint_pattern(pattern.language, text.text())) {
            const std::size_t length = finding.length == 0 ? text.text().size() : finding.length;
            warn(written, text.element(),
                 text.error(finding.code, finding.message, finding.offset, length), finding.hint);
        }
    }
}

void RuleLint::look_at_texts(const WrittenRule& written) {
    for (const RuleDraft::Element& element : written.elements) {
        const xml::Node& node = element.node;
        const std::string name = lower(node.name());
        if (name != "description" && name != "info") {
            continue;
        }
        if (auto entity = pattern::find_entity(node.text(),
                                               "write it in words: a content can have \"<\" as \\< "
                                               "only, and alerts show both bytes")) {
            warn(written, name,
                 node.error_in_text(entity->code, entity->message, entity->offset, entity->length),
                 entity->hint);
        }
    }
}

// Spec: rules, section 3.3.
void RuleLint::look_at_lists(const WrittenRule& written) {
    if (!options_.lists) {
        return;
    }
    for (const RuleDraft::Element& element : written.elements) {
        const xml::Node& node = element.node;
        if (lower(node.name()) != "list" || options_.lists->count(list_name(node.text())) != 0) {
            continue;
        }
        std::string hint = base::did_you_mean(list_name(node.text()),
                                              {options_.lists->begin(), options_.lists->end()});
        // ossec.conf may leave "rules/" out; a rule may not (spec: rules, section 3.3).
        const std::string_view name = last_part(list_name(node.text()));
        const auto same = std::find_if(options_.lists->begin(), options_.lists->end(),
                                       [&](const auto& list) { return last_part(list) == name; });
        if (same != options_.lists->end()) {
            hint = fmt::format("the list of ossec.conf is named \"{}\" here", *same);
        } else if (hint.empty()) {
            hint = "name its file with <list> in the <rules> of ossec.conf";
        }
        warn(written, "list",
             node.error_in_text(
                 "unknown-list",
                 fmt::format("there is no list \"{}\", so this never matches", node.text())),
             std::move(hint));
    }
}

void RuleLint::look_at_category(const Rule& rule, const WrittenRule& written) {
    const xml::Node* category = written.find("category");
    if (category != nullptr && category->text() != event::name_of(rule.category)) {
        warn(written, "category",
             category->error_in_text("ignored-element",
                                     fmt::format("the rule hangs in category {}, where its parent "
                                                 "is",
                                                 event::name_of(rule.category)),
                                     0, category->text().size()),
             "leave it out, or hang the rule under a parent of this category");
    }
}

void RuleLint::look_at_group(const WrittenRule& written) {
    for (const std::string_view element : {"if_group", "if_matched_group"}) {
        const xml::Node* node = written.find(element);
        if (node == nullptr) {
            continue;
        }
        std::string_view rest = node->text();
        while (!rest.empty()) {
            std::string_view word = rest.substr(0, rest.find('|'));
            rest.remove_prefix(std::min(word.size() + 1, rest.size()));
            const std::size_t offset = static_cast<std::size_t>(word.data() - node->text().data());
            while (word.ends_with(',')) {
                word.remove_suffix(1);
            }
            const bool is_plain = word.find_first_of("^$,") == std::string_view::npos;
            if (word.empty() || !is_plain || groups_.count(lower(word)) != 0) {
                continue;
            }
            std::vector<std::string> inside;
            for (const std::string& group : groups_) {
                if (group.find(lower(word)) != std::string::npos && inside.size() < 3) {
                    inside.push_back(group);
                }
            }
            warn(written, element,
                 node->error_in_text(
                     "partial-group",
                     inside.empty() ? fmt::format("there is no group \"{}\"", word)
                                    : fmt::format("there is no group \"{}\"; it matches within {}",
                                                  word, fmt::join(inside, ", ")),
                     offset, word.size()),
                 inside.empty() ? "" : "write the whole name to be understood");
        }
    }
}

void RuleLint::look_at_composite(const Rule& rule, const WrittenRule& written) {
    if (!rule.composite) {
        return;
    }
    const bool is_sid = rule.composite->history == Composite::History::Sid;
    const xml::Attribute* frequency = written.node.find_attribute("frequency");
    // Frequency F needs F + 1 earlier events, and OSSEC's history holds one less than it says
    // (spec: quirks, 37).
    const int most = static_cast<int>(options_.sid_history) - 2;
    if (is_sid && rule.frequency > most && frequency != nullptr) {
        warn(written, {},
             written.node.error_in_attribute(
                 *frequency, "never-fires",
                 fmt::format("frequency {} is more than if_matched_sid can count: it remembers {} "
                             "events, so {} is the most",
                             rule.frequency, options_.sid_history, most)),
             "if_matched_group counts further");
    }
    if (is_sid) {
        const xml::Node* element = written.find("if_matched_sid");
        const Rule* target = rules_.find(rule.composite->sid);
        if (element != nullptr && target != nullptr && (target->level == 0 || target->noalert)) {
            warn(written, "if_matched_sid",
                 element->error_in_text(
                     "never-fires",
                     target->noalert
                         ? fmt::format("rule {} is noalert and never a result, so there is nothing "
                                       "to count",
                                       target->id)
                         : fmt::format("rule {} has level 0; its events are not remembered, so "
                                       "there is nothing to count",
                                       target->id),
                     0, element->text().size()),
                 "events count from level 1 on");
        }
        return;
    }
    const xml::Node* element = written.find("if_matched_group");
    if (rule.composite->history != Composite::History::Group || element == nullptr) {
        return;
    }
    const auto& all = rules_.rules();
    const bool is_fed = std::any_of(all.begin(), all.end(), [&](const Rule& other) {
        return other.level > 0 && !other.noalert &&
               std::find(other.feeds.begin(), other.feeds.end(), rule.composite->history_index) !=
                   other.feeds.end() &&
               other.id != rule.id;
    });
    if (!is_fed) {
        warn(written, "if_matched_group",
             element->error_in_text("never-fires",
                                    "no rule before this one has such a group and is counted", 0,
                                    element->text().size()),
             "rules of level 0, targets of an if_matched_sid and rules loaded later do not count");
    }
}

void RuleLint::report_unreachable(const Unreachable& found) {
    const auto written = written_.find(found.rule->id);
    if (written == written_.end()) {
        return;
    }
    const WrittenRule& rule = written->second;
    const auto name_of_decoder = [&](const Rule& of) {
        const auto name = options_.decoder_names.find(of.decoder_id);
        return name == options_.decoder_names.end() ? std::string("another") : name->second;
    };
    const xml::Node* decoded_as = rule.find("decoded_as");
    const auto at_decoder = [&](std::string message) {
        return decoded_as == nullptr
                   ? rule.node.error("unreachable-rule", std::move(message))
                   : decoded_as->error_in_text("unreachable-rule", std::move(message), 0,
                                               decoded_as->text().size());
    };
    const std::string_view element = decoded_as == nullptr ? "" : "decoded_as";
    switch (found.why) {
        case Unreachable::Why::Shadowed:
            warn(rule, {},
                 rule.node.error("unreachable-rule",
                                 fmt::format("the rule is never reached: rule {} ({}) comes before "
                                             "it and takes every event that it would match",
                                             found.other->id, place_of(*found.other))),
                 "siblings are tried by level, highest first (0 before all), then in the order of "
                 "the files; the first that matches is final");
            break;
        case Unreachable::Why::OtherDecoder:
            warn(rule, element,
                 at_decoder(fmt::format("the rule is never reached: rule {} above it demands "
                                        "decoder \"{}\"",
                                        found.other->id, name_of_decoder(*found.other))));
            break;
        case Unreachable::Why::WrongCategory:
            warn(
                rule, element,
                at_decoder(fmt::format("the rule is never reached: it hangs in category {}, and no "
                                       "event of this decoder has that type",
                                       event::name_of(found.category))),
                "give the rule the <category> that the <type> of its decoder says, or a parent "
                "that has it");
            break;
        case Unreachable::Why::UnknownDecoder:
            warn(rule, element,
                 at_decoder("the rule is never reached: no event has this decoder, since a child "
                            "goes by the name of its parent"),
                 "write the name of the parent, or <use_own_name>true</use_own_name> into the "
                 "decoder");
            break;
    }
}

}  // namespace

void lint_rules(const std::vector<xml::Document>& documents, const RuleSet& rules,
                const RuleLintOptions& options, base::Diagnostics& diagnostics) {
    RuleLint(documents, rules, options, diagnostics).run();
}

std::vector<std::string> dynamic_fields_in(const std::vector<xml::Document>& documents) {
    std::vector<std::string> fields;
    for (const xml::Document& document : documents) {
        for (const xml::Node& group : document.roots()) {
            for (const xml::Node& rule : group.children()) {
                for (const xml::Node& element : rule.children()) {
                    const xml::Attribute* name = element.find_attribute("name");
                    if (name != nullptr && equals_ignoring_case(element.name(), "field")) {
                        fields.push_back(lower(name->value));
                    }
                }
            }
        }
    }
    return fields;
}

}  // namespace portcullis::rules
