// RuleSet: all rules and their tree, immutable after load_rules(), shared by threads and swapped
// whole at a reload.
//
// A rule with several parents is several nodes of the tree, each with its own children. The tree is
// flattened in the order of evaluation (depth first, siblings as spec: rules, 5.3): the
// children of nodes[i] begin at i + 1, its next sibling is nodes[i].end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/event/event.hpp"
#include "engine/pattern/pattern.hpp"
#include "engine/rules/rule.hpp"
#include "engine/rules/trace.hpp"

namespace portcullis::rules {

class Correlator;

// A history that composite rules search: the recent events whose result feeds it (Rule::feeds).
struct HistorySpec {
    int sid = 0;  // target of if_matched_sid; 0 = the history of one if_matched_group
};

class RuleSet {
  public:
    struct Node {
        std::uint32_t rule;  // index in rules()
        std::uint32_t end;   // index behind the last node of its subtree
        int decoder_id;      // of the rule; a copy, so that most rules are skipped cheaply
    };

    RuleSet() = default;
    RuleSet(std::vector<Rule> rules, std::vector<Node> nodes, std::vector<HistorySpec> histories);

    // In order of loading.
    const std::vector<Rule>& rules() const { return rules_; }
    const Rule* find(int id) const;
    std::span<const Node> nodes() const { return nodes_; }
    // The nodes from a root to `node`, both included.
    std::vector<std::uint32_t> path_to(std::uint32_t node) const;
    const std::vector<HistorySpec>& histories() const { return histories_; }

    // The result for `event`: the first rule, depth first, that matches, has no matching child and
    // is not `noalert`; nullptr = none. Stateful conditions act on `correlator`. `trace`, if
    // given, is appended to. REQUIRES: correlator.use(*this) was called.
    const Rule* evaluate(const event::Event& event, pattern::MatchScratch& scratch,
                         Correlator& correlator, Trace* trace) const;

    // The first condition of `rule` that does not hold for `event`, without its parents. Conditions
    // that would store something of the event are left out: if_fts, check_diff, earlier events.
    // is_valid_crawler is evaluated, and may queue a question to DNS.
    Mismatch find_mismatch(const Rule& rule, const event::Event& event,
                           pattern::MatchScratch& scratch, Correlator& correlator) const;

  private:
    struct Evaluation;
    const Rule* descend(std::uint32_t index, Evaluation& evaluation) const;

    std::vector<Rule> rules_;
    std::vector<Node> nodes_;
    std::vector<HistorySpec> histories_;
    std::unordered_map<int, std::size_t> index_of_;
};

}  // namespace portcullis::rules
