#include "engine/rules/reachability.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace portcullis::rules {
namespace {

// The conditions of a rule, each as a number: two rules with the same numbers match the same
// events. Sorted.
using Facts = std::vector<int>;

struct RuleFacts {
    Facts facts;
    // Whether `facts` alone decide: not if earlier events or stored state count as well.
    bool is_stateless = true;
};

class FactTable {
  public:
    RuleFacts facts_of(const Rule& rule) {
        RuleFacts out;
        const auto& stateful = rule.stateful_conditions;
        out.is_stateless =
            !rule.composite && std::none_of(stateful.begin(), stateful.end(),
                                            [](const auto& each) { return each.stores_event(); });
        if (rule.minimum_log_size > 0) {
            out.facts.push_back(number_of(fmt::format("maxsize {}", rule.minimum_log_size)));
        }
        if (rule.decoder_id != 0) {
            out.facts.push_back(number_of(fmt::format("decoder {}", rule.decoder_id)));
        }
        add_facts(rule.conditions, out.facts);
        add_facts(stateful, out.facts);
        std::sort(out.facts.begin(), out.facts.end());
        return out;
    }

  private:
    static bool always_holds(const Condition& condition) {
        return condition.subject.kind == Subject::Kind::Log &&
               std::holds_alternative<HasValue>(condition.test);
    }
    static bool always_holds(const StatefulCondition& /*condition*/) { return false; }

    // Conditions of one name, which are neighbours, are one fact.
    template <class Conditions>
    void add_facts(const Conditions& conditions, Facts& facts) {
        for (auto first = conditions.begin(); first != conditions.end();) {
            auto next = first;
            std::string fact;
            for (; next != conditions.end() && next->name == first->name; ++next) {
                fact += text_of(*next);
            }
            if (!always_holds(*first)) {
                facts.push_back(number_of(fact));
            }
            first = next;
        }
    }

    // Equal for conditions that are written alike, whatever the case of the element's name.
    static std::string text_of(const ConditionText& text) {
        const std::size_t name_end = std::min(text.element.find(' '), text.element.size());
        return fmt::format("{}{}\n{}\n", text.name, text.element.substr(name_end), text.demand);
    }

    int number_of(const std::string& fact) {
        return numbers_.emplace(fact, static_cast<int>(numbers_.size())).first->second;
    }

    std::map<std::string, int> numbers_;
};

class Walk {
  public:
    Walk(const RuleSet& rules, const RuleLintOptions& options)
        : rules_(rules), options_(options), states_(rules.rules().size()) {
        FactTable table;
        for (const Rule& rule : rules.rules()) {
            facts_.push_back(table.facts_of(rule));
        }
    }

    std::vector<Unreachable> run() {
        for (std::uint32_t root = 0; root < rules_.nodes().size();
             root = rules_.nodes()[root].end) {
            const Rule& rule = rule_at(root);
            descend(root, {rule.category, facts_[rule.index].facts, nullptr});
        }
        std::vector<Unreachable> out;
        for (const State& state : states_) {
            if (state.reason && !state.is_reachable) {
                out.push_back(*state.reason);
            }
        }
        return out;
    }

  private:
    struct State {
        bool is_reachable = false;
        std::optional<Unreachable> reason;
    };
    // Facts about every event for which a node is evaluated.
    struct Known {
        event::EventType category;
        Facts facts;
        const Rule* decoder_rule;  // the nearest one above with decoded_as; nullptr = none
    };

    const Rule& rule_at(std::uint32_t node) const {
        return rules_.rules()[rules_.nodes()[node].rule];
    }

    // Recursion is as deep as the tree, which the loader limits.
    void descend(std::uint32_t index, const Known& known) {
        const Rule& parent = rule_at(index);
        states_[parent.index].is_reachable = true;
        const std::uint32_t end = rules_.nodes()[index].end;
        std::vector<const Rule*> earlier;  // that end the search whenever they match
        for (std::uint32_t child = index + 1; child != end; child = rules_.nodes()[child].end) {
            const Rule& rule = rule_at(child);
            const RuleFacts& own = facts_[rule.index];
            Known below{known.category, {}, rule.decoder_id != 0 ? &rule : known.decoder_rule};
            std::set_union(known.facts.begin(), known.facts.end(), own.facts.begin(),
                           own.facts.end(), std::back_inserter(below.facts));
            if (const auto reason = why_unreachable(rule, known, below, earlier)) {
                auto& kept = states_[rule.index].reason;
                kept = kept ? kept : reason;
                continue;
            }
            if (own.is_stateless && !rule.noalert) {
                earlier.push_back(&rule);
            }
            descend(child, below);
        }
    }

    std::optional<Unreachable> why_unreachable(const Rule& rule, const Known& known,
                                               const Known& below,
                                               const std::vector<const Rule*>& earlier) const {
        using Why = Unreachable::Why;
        if (rule.decoder_id != 0) {
            if (known.decoder_rule != nullptr &&
                known.decoder_rule->decoder_id != rule.decoder_id) {
                return Unreachable{&rule, Why::OtherDecoder, known.decoder_rule, known.category};
            }
            const auto types = options_.decoder_types.find(rule.decoder_id);
            const auto& internal = options_.internal_decoders;
            const bool is_internal =
                std::find(internal.begin(), internal.end(), rule.decoder_id) != internal.end();
            if (types == options_.decoder_types.end() && !is_internal) {
                return Unreachable{&rule, Why::UnknownDecoder, nullptr, known.category};
            }
            if (types != options_.decoder_types.end() &&
                !types->second.test(static_cast<std::size_t>(known.category))) {
                return Unreachable{&rule, Why::WrongCategory, nullptr, known.category};
            }
        }
        const auto shadow = std::find_if(earlier.begin(), earlier.end(), [&](const Rule* other) {
            const Facts& facts = facts_[other->index].facts;
            return other != &rule && std::includes(below.facts.begin(), below.facts.end(),
                                                   facts.begin(), facts.end());
        });
        if (shadow != earlier.end()) {
            return Unreachable{&rule, Why::Shadowed, *shadow, known.category};
        }
        return std::nullopt;
    }

    const RuleSet& rules_;
    const RuleLintOptions& options_;
    std::vector<RuleFacts> facts_;  // by the index of a rule
    std::vector<State> states_;     // likewise
};

}  // namespace

std::vector<Unreachable> find_unreachable_rules(const RuleSet& rules,
                                                const RuleLintOptions& options) {
    return Walk(rules, options).run();
}

}  // namespace portcullis::rules
