#include "engine/rules/reachability.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace portcullis::rules {
namespace {

// What a rule demands of an event, each condition a number: two rules with the same numbers match
// the same events. Sorted.
using Facts = std::vector<int>;

struct RuleFacts {
    Facts facts;
    // Whether `facts` are all that it takes: not if earlier events or stored state count as well.
    bool is_stateless = true;
};

// Conditions that look at more than the event.
constexpr std::array<std::string_view, 2> kStatefulConditions{"check_diff", "if_fts"};

// An OS_* element makes its twin of no account; url is the exception (spec: rules, section 3).
bool is_ignored_twin(const WrittenRule& rule, std::string_view row) {
    constexpr std::string_view kSuffix = "pcre2";
    if (!row.ends_with(kSuffix) || row == "url_pcre2") {
        return false;
    }
    const std::string_view twin =
        row == kSuffix ? std::string_view("regex") : row.substr(0, row.size() - kSuffix.size() - 1);
    return rule.find(twin) != nullptr;
}

class FactTable {
  public:
    RuleFacts facts_of(const Rule& rule, const WrittenRule* written) {
        RuleFacts out;
        out.is_stateless = !rule.composite.has_value();
        if (rule.minimum_log_size > 0) {
            out.facts.push_back(number_of(fmt::format("maxsize {}", rule.minimum_log_size)));
        }
        if (rule.decoder_id != 0) {
            out.facts.push_back(number_of(fmt::format("decoder {}", rule.decoder_id)));
        }
        if (written != nullptr) {
            add_conditions(*written, out);
        }
        std::sort(out.facts.begin(), out.facts.end());
        return out;
    }

  private:
    void add_conditions(const WrittenRule& written, RuleFacts& out) {
        for (const ConditionRow& row : condition_rows()) {
            const std::vector<xml::Node> nodes = written.all(row);
            if (nodes.empty() || row.name == "decoded_as" || is_ignored_twin(written, row.name)) {
                continue;
            }
            out.is_stateless &= std::find(kStatefulConditions.begin(), kStatefulConditions.end(),
                                          row.name) == kStatefulConditions.end();
            std::string fact(row.name);
            for (const xml::Node& node : nodes) {
                fact += has_separate_elements(row.name) ? "\n" : "";
                for (const xml::Attribute& attribute : node.attributes()) {
                    fact += fmt::format(" {}={}", attribute.name, attribute.value);
                }
                fact += node.text();
            }
            // An empty pattern on the log holds for all.
            if (fact != "match" && fact != "match_pcre2") {
                out.facts.push_back(number_of(fact));
            }
        }
    }

    // Repeated elements of these are several conditions, not one that is joined.
    static bool has_separate_elements(std::string_view row) {
        return row == "srcip" || row == "dstip" || row == "field" || row == "list";
    }

    int number_of(const std::string& fact) {
        return numbers_.emplace(fact, static_cast<int>(numbers_.size())).first->second;
    }

    std::map<std::string, int> numbers_;
};

class Walk {
  public:
    Walk(const RuleSet& rules, const std::map<int, WrittenRule>& written,
         const RuleLintOptions& options)
        : rules_(rules), options_(options), states_(rules.rules().size()) {
        FactTable table;
        for (const Rule& rule : rules.rules()) {
            const auto found = written.find(rule.id);
            facts_.push_back(
                table.facts_of(rule, found == written.end() ? nullptr : &found->second));
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
    // What is known of an event that has come to a node.
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
                                                const std::map<int, WrittenRule>& written,
                                                const RuleLintOptions& options) {
    return Walk(rules, written, options).run();
}

}  // namespace portcullis::rules
