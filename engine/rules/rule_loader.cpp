#include "engine/rules/rule_loader.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/did_you_mean.hpp"
#include "engine/rules/rule_reader.hpp"
#include "engine/rules/rule_tree.hpp"

namespace portcullis::rules {
namespace {

// The built-in root rule of a category, for a rule file that works without a root of its own.
struct StandInRoot {
    int id;
    event::EventType category;
    std::string_view description;
    std::string_view group;
};
constexpr std::array kStandInRoots{
    StandInRoot{1, event::EventType::Syslog, "Any syslog event.", "syslog,"},
    StandInRoot{2, event::EventType::Firewall, "Any firewall event.", "firewall,"},
    StandInRoot{3, event::EventType::Ids, "Any intrusion detection event.", "ids,"},
    StandInRoot{4, event::EventType::WebLog, "Any web server event.", "web-log,"},
    StandInRoot{5, event::EventType::Squid, "Any proxy event.", "squid,"},
    StandInRoot{6, event::EventType::Windows, "Any Windows event.", "windows,"},
    StandInRoot{7, event::EventType::Ossec, "Any event of this system itself.", "ossec,"},
};

class Loader {
  public:
    Loader(const RuleOptions& options, base::Diagnostics& diagnostics)
        : diagnostics_(diagnostics), options_(options), reader_(options, diagnostics) {}

    RuleSet load(const std::vector<xml::Document>& documents);

  private:
    void read_document(const xml::Document& document, std::vector<RuleDraft>& drafts);
    void stand_in_for_missing_roots(const std::vector<RuleDraft>& drafts);
    static std::vector<RuleDraft> replaced_in_place(std::vector<RuleDraft> drafts);
    void take(RuleDraft draft);
    void overwrite(const RuleDraft& replacement);
    void place_in_tree(RuleDraft& draft);
    void place_by_ids(RuleDraft& draft, const JoinedText& ids);
    void place_by_level(const RuleDraft& draft);
    void place_by_group(const RuleDraft& draft, const JoinedText& words);
    std::vector<HistorySpec> connect_histories(std::vector<Rule>& rules);
    void bind_group(const Rule& composite);

    // Reports in the context of `draft`.
    void report(const RuleDraft& draft, base::Diagnostic diagnostic, std::string_view element = {});
    std::string hint_for_id(int id) const;

    base::Diagnostics& diagnostics_;
    const RuleOptions& options_;
    RuleReader reader_;
    RuleTree tree_;
    std::vector<RuleDraft> drafts_;  // of the accepted rules, by index
    std::unordered_map<int, std::size_t> index_of_;
    // By the index of a rule with if_matched_group: the rules whose results its history holds.
    std::map<std::size_t, std::vector<std::size_t>> group_feeders_;
    pattern::MatchScratch scratch_;
};

void Loader::report(const RuleDraft& draft, base::Diagnostic diagnostic, std::string_view element) {
    diagnostic.context = fmt::format("rule {}", draft.rule.id);
    if (!element.empty()) {
        diagnostic.context += fmt::format(" > {}", element);
    }
    diagnostics_.add(std::move(diagnostic));
}

RuleSet Loader::load(const std::vector<xml::Document>& documents) {
    std::vector<RuleDraft> drafts;
    for (const xml::Document& document : documents) {
        read_document(document, drafts);
    }
    if (options_.replaces_whole_rules) {
        drafts = replaced_in_place(std::move(drafts));
    }
    stand_in_for_missing_roots(drafts);
    for (RuleDraft& draft : drafts) {
        if (!draft.has_id) {
            continue;  // reported
        }
        if (draft.overwrites) {
            overwrite(draft);
        } else {
            take(std::move(draft));
        }
    }

    std::vector<Rule> rules;
    rules.reserve(drafts_.size());
    for (RuleDraft& draft : drafts_) {
        rules.push_back(std::move(draft.rule));
    }
    std::vector<HistorySpec> histories = connect_histories(rules);
    std::vector<RuleSet::Node> nodes = tree_.flatten(rules);
    return RuleSet(std::move(rules), std::move(nodes), std::move(histories));
}

void Loader::read_document(const xml::Document& document, std::vector<RuleDraft>& drafts) {
    for (const xml::Node& root : document.roots()) {
        if (!equals_ignoring_case(root.name(), "group")) {
            base::Diagnostic diagnostic = root.error(
                "unknown-element",
                fmt::format("a rule file has only <group> elements, not <{}>", root.name()));
            diagnostic.hint = base::did_you_mean(root.name(), {"group"});
            diagnostics_.add(std::move(diagnostic));
            continue;
        }
        const bool has_only_name = root.attributes().size() == 1 &&
                                   equals_ignoring_case(root.attributes().front().name, "name");
        if (!has_only_name) {
            diagnostics_.add(
                root.error("bad-group", "<group> takes exactly one attribute: its name"));
        }
        if (root.children().empty()) {
            diagnostics_.add(root.error("empty-group", "the group has no rules"));
        }
        const xml::Attribute* name = root.find_attribute("name");
        for (const xml::Node& child : root.children()) {
            if (!equals_ignoring_case(child.name(), "rule")) {
                base::Diagnostic diagnostic = child.error(
                    "unknown-element",
                    fmt::format("a group has only <rule> elements, not <{}>", child.name()));
                diagnostic.hint = base::did_you_mean(child.name(), {"rule"});
                diagnostics_.add(std::move(diagnostic));
                continue;
            }
            drafts.push_back(reader_.read(child, name == nullptr ? std::string() : name->value));
        }
    }
}

void Loader::stand_in_for_missing_roots(const std::vector<RuleDraft>& drafts) {
    const auto is_defined = [&](event::EventType category) {
        return std::any_of(drafts.begin(), drafts.end(), [&](const RuleDraft& draft) {
            return draft.rule.is_root && !draft.overwrites && draft.rule.category == category;
        });
    };
    const auto is_taken = [&](int id) {
        return std::any_of(drafts.begin(), drafts.end(), [&](const RuleDraft& draft) {
            return draft.has_id && !draft.overwrites && draft.rule.id == id;
        });
    };
    for (const StandInRoot& root : kStandInRoots) {
        if (is_defined(root.category) || is_taken(root.id)) {
            continue;
        }
        RuleDraft draft;
        draft.has_id = true;
        draft.rule.id = root.id;
        draft.rule.noalert = true;
        draft.rule.is_root = true;
        draft.rule.logs = false;
        draft.rule.category = root.category;
        draft.rule.description = root.description;
        draft.rule.group = root.group;
        take(std::move(draft));
    }
}

// Moves each overwriting rule to the place of the rule that it overwrites, as if the file had been
// edited. An overwriting rule without an original before it stays, and is reported.
std::vector<RuleDraft> Loader::replaced_in_place(std::vector<RuleDraft> drafts) {
    std::vector<RuleDraft> kept;
    std::unordered_map<int, std::size_t> place_of;
    for (RuleDraft& draft : drafts) {
        const auto original = place_of.find(draft.rule.id);
        if (!draft.has_id || original == place_of.end()) {
            if (draft.has_id) {
                place_of.emplace(draft.rule.id, kept.size());
            }
            kept.push_back(std::move(draft));
        } else if (draft.overwrites) {
            draft.overwrites = kept[original->second].overwrites;
            kept[original->second] = std::move(draft);
        } else {
            kept.push_back(std::move(draft));  // a duplicate, which is reported
        }
    }
    return kept;
}

void Loader::take(RuleDraft draft) {
    const auto [known, is_new] = index_of_.emplace(draft.rule.id, drafts_.size());
    if (!is_new) {
        const base::SourcePlace& first = drafts_[known->second].rule.place;
        const xml::Attribute* id = draft.node.find_attribute("id");
        base::Diagnostic diagnostic =
            draft.node.error_in_attribute(*id, "duplicate-rule",
                                          fmt::format("rule {} is defined already, at {}:{}",
                                                      draft.rule.id, first.file, first.line));
        diagnostic.hint = "use another id, or overwrite=\"yes\" to replace that rule";
        report(draft, std::move(diagnostic));
        return;
    }
    draft.rule.index = drafts_.size();
    tree_.add({draft.rule.id, RuleTree::key_of(draft.rule), draft.rule.group, draft.rule.category});
    place_in_tree(draft);
    drafts_.push_back(std::move(draft));
    if (const auto& composite = drafts_.back().rule.composite;
        composite && composite->history == Composite::History::Group) {
        bind_group(drafts_.back().rule);
    }
}

// OSSEC-COMPAT: rules loaded later do not count, and an overwrite that changes the group of a rule
// changes nothing here (spec: rules, sections 6 and 7.1).
void Loader::bind_group(const Rule& composite) {
    std::vector<std::size_t>& feeders = group_feeders_[composite.index];
    for (const RuleDraft& draft : drafts_) {
        if (composite.composite->pattern->matches(draft.rule.group, scratch_)) {
            feeders.push_back(draft.rule.index);
        }
    }
}

void Loader::overwrite(const RuleDraft& replacement) {
    const auto known = index_of_.find(replacement.rule.id);
    if (known == index_of_.end()) {
        const xml::Attribute* id = replacement.node.find_attribute("id");
        base::Diagnostic diagnostic = replacement.node.error_in_attribute(
            *id, "unknown-rule",
            fmt::format("there is no rule {} to overwrite", replacement.rule.id));
        diagnostic.hint = "the rule to overwrite must be loaded before";
        report(replacement, std::move(diagnostic));
        return;
    }
    RuleDraft& original = drafts_[known->second];
    original = reader_.overwrite(original, replacement);
    original.has_id = true;
    original.rule.index = known->second;
    tree_.replace(known->second, RuleTree::key_of(original.rule), original.rule.group);
}

// The first of these that the rule has decides (spec: rules, section 5.2).
void Loader::place_in_tree(RuleDraft& draft) {
    if (draft.rule.is_root) {
        tree_.attach_root();
        return;
    }
    const bool has_parent = draft.if_sid.is_present() || draft.if_group.is_present();
    if (draft.if_sid.is_present()) {
        place_by_ids(draft, draft.if_sid);
    } else if (draft.if_matched_sid.is_present() && !has_parent) {
        if (draft.rule.composite) {  // else it is not a number, which was reported
            place_by_ids(draft, draft.if_matched_sid);
        }
    } else if (draft.if_level.is_present()) {
        place_by_level(draft);
    } else if (draft.if_group.is_present()) {
        place_by_group(draft, draft.if_group);
    } else if (draft.if_matched_group.is_present()) {
        place_by_group(draft, draft.if_matched_group);
    } else if (tree_.attach_by_category(draft.rule.category) == 0) {
        report(draft, draft.node.error(
                          "no-root-rule",
                          fmt::format("no root rule of category {} is loaded before this rule",
                                      event::name_of(draft.rule.category))));
    }
    if (tree_.is_too_large()) {
        report(draft, draft.node.error("tree-too-large",
                                       "with this rule the tree of rules becomes too large or too "
                                       "deep: it hangs under too many parents"));
    }
}

// Numbers separated by commas and blanks.
void Loader::place_by_ids(RuleDraft& draft, const JoinedText& ids) {
    const std::string& text = ids.text();
    std::size_t at = 0;
    bool has_ids = false;
    while ((at = text.find_first_not_of(", ", at)) != std::string::npos) {
        const std::size_t end = std::min(text.find_first_of(", ", at), text.size());
        const std::string word = text.substr(at, end - at);
        const auto id = parse_digits(word, 6);
        if (!id) {
            report(
                draft,
                ids.error("bad-number", fmt::format("\"{}\" is not a rule id", word), at, end - at),
                ids.element());
            return;
        }
        has_ids = true;
        const auto parent = index_of_.find(*id);
        const bool is_known = parent != index_of_.end() && parent->second < drafts_.size();
        if (!is_known) {
            base::Diagnostic diagnostic =
                ids.error("unknown-rule", fmt::format("there is no rule {} before this one", *id),
                          at, end - at);
            diagnostic.hint = hint_for_id(*id);
            report(draft, std::move(diagnostic), ids.element());
        } else {
            tree_.attach_by_sid(*id);
            draft.rule.category = drafts_[parent->second].rule.category;
        }
        at = end;
    }
    if (!has_ids) {
        report(draft,
               ids.error("bad-number", "takes rule ids, separated by commas", 0, text.size()),
               ids.element());
        return;
    }
    // OSSEC-COMPAT: a trailing separator also hangs the rule under the root of its category.
    if (text.back() == ',' || text.back() == ' ') {
        tree_.attach_by_category(draft.rule.category);
    }
}

void Loader::place_by_level(const RuleDraft& draft) {
    const JoinedText& text = draft.if_level;
    const auto level = parse_digits(text.text(), 4);
    if (!level || *level == 0) {
        report(draft,
               text.error("bad-number", "if_level takes a level above 0", 0, text.text().size()),
               text.element());
    } else if (tree_.attach_by_level(*level) == 0) {
        report(
            draft,
            text.error("unknown-level",
                       fmt::format("there is no rule of level {} or more before this one", *level),
                       0, text.text().size()),
            text.element());
    }
}

void Loader::place_by_group(const RuleDraft& draft, const JoinedText& words) {
    if (tree_.attach_by_group(words.text()) > 0) {
        return;
    }
    base::Diagnostic diagnostic = words.error(
        "unknown-group",
        fmt::format("there is no rule with a group like \"{}\" before this one", words.text()), 0,
        words.text().size());
    std::set<std::string_view> names;
    for (const RuleDraft& other : drafts_) {
        std::string_view rest = other.rule.group;
        while (!rest.empty()) {
            const std::size_t comma = std::min(rest.find(','), rest.size());
            names.insert(rest.substr(0, comma));
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    diagnostic.hint = base::did_you_mean(words.text(), {names.begin(), names.end()});
    report(draft, std::move(diagnostic), words.element());
}

std::string Loader::hint_for_id(int id) const {
    std::vector<std::string> ids;
    for (const RuleDraft& draft : drafts_) {
        ids.push_back(std::to_string(draft.rule.id));
    }
    std::string hint = base::did_you_mean(std::to_string(id), {ids.begin(), ids.end()});
    return hint.empty() ? "files load in the order of ossec.conf; a rule may only refer to rules "
                          "above it or in earlier files"
                        : hint;
}

// Decides which results go into which history (spec: rules, section 7.1).
std::vector<HistorySpec> Loader::connect_histories(std::vector<Rule>& rules) {
    std::vector<HistorySpec> histories;
    std::map<int, std::size_t> history_of_sid;
    for (Rule& rule : rules) {
        if (!rule.composite || rule.composite->history != Composite::History::Sid) {
            continue;
        }
        const auto target = index_of_.find(rule.composite->sid);
        if (target == index_of_.end()) {
            const RuleDraft& draft = drafts_[rule.index];
            base::Diagnostic diagnostic = draft.if_matched_sid.error(
                "unknown-rule", fmt::format("there is no rule {}", rule.composite->sid), 0,
                draft.if_matched_sid.text().size());
            diagnostic.context = fmt::format("rule {} > if_matched_sid", rule.id);
            if (draft.if_sid.is_present() || draft.if_group.is_present()) {  // else reported
                diagnostics_.add(std::move(diagnostic));
            }
            continue;
        }
        const auto [known, is_new] = history_of_sid.emplace(rule.composite->sid, histories.size());
        if (is_new) {
            histories.push_back({rule.composite->sid});
            rules[target->second].feeds.push_back(known->second);
        }
        rule.composite->history_index = known->second;
    }
    for (Rule& rule : rules) {
        if (!rule.composite || rule.composite->history != Composite::History::Group) {
            continue;
        }
        const std::size_t history = histories.size();
        histories.push_back({0});
        rule.composite->history_index = history;
        // OSSEC-COMPAT: targets of if_matched_sid do not count.
        for (const std::size_t feeder : group_feeders_[rule.index]) {
            if (history_of_sid.find(rules[feeder].id) == history_of_sid.end()) {
                rules[feeder].feeds.push_back(history);
            }
        }
    }
    return histories;
}

}  // namespace

RuleSet load_rules(const std::vector<xml::Document>& documents, const RuleOptions& options,
                   base::Diagnostics& diagnostics) {
    return Loader(options, diagnostics).load(documents);
}

}  // namespace portcullis::rules
