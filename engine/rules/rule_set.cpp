#include "engine/rules/rule_set.hpp"

#include <algorithm>
#include <utility>

#include "engine/rules/correlator.hpp"

namespace portcullis::rules {

RuleSet::RuleSet(std::vector<Rule> rules, std::vector<Node> nodes,
                 std::vector<HistorySpec> histories)
    : rules_(std::move(rules)), nodes_(std::move(nodes)), histories_(std::move(histories)) {
    for (const Rule& rule : rules_) {
        index_of_.emplace(rule.id, rule.index);
    }
}

const Rule* RuleSet::find(int id) const {
    const auto found = index_of_.find(id);
    return found == index_of_.end() ? nullptr : &rules_[found->second];
}

struct RuleSet::Evaluation {
    const event::Event& event;
    pattern::MatchScratch& scratch;
    Correlator& correlator;
    Trace* trace;

    void note(Trace::What what, const Rule& rule) const {
        if (trace != nullptr) {
            trace->steps.push_back({what, &rule});
        }
    }

    bool matches(const Rule& rule) const {
        const CheckContext context{event, rule, scratch, correlator};
        if (event.log.size() < rule.minimum_log_size) {
            return false;
        }
        const bool all_hold = std::all_of(rule.checks.begin(), rule.checks.end(),
                                          [&](const Check& holds) { return holds(context); });
        return all_hold && (!rule.composite || correlator.search(rule, event, scratch));
    }
};

const Rule* RuleSet::evaluate(const event::Event& event, pattern::MatchScratch& scratch,
                              Correlator& correlator, Trace* trace) const {
    Evaluation evaluation{event, scratch, correlator, trace};
    for (std::uint32_t root = 0; root < nodes_.size(); root = nodes_[root].end) {
        if (rules_[nodes_[root].rule].category != event.type) {
            continue;
        }
        if (const Rule* result = descend(root, evaluation)) {
            return result;
        }
    }
    return nullptr;
}

// Recursion is as deep as the tree, which the loader limits.
const Rule* RuleSet::descend(std::uint32_t index, Evaluation& evaluation) const {
    const Node& node = nodes_[index];
    const Rule& rule = rules_[node.rule];
    evaluation.note(Trace::What::Tried, rule);
    if (node.decoder_id != 0 && node.decoder_id != evaluation.event.decoder_id) {
        return nullptr;
    }
    if (!evaluation.matches(rule)) {
        return nullptr;
    }
    evaluation.note(Trace::What::Matched, rule);
    std::uint32_t child = index + 1;
    if (child != node.end) {
        evaluation.note(Trace::What::TryingChildren, rule);
    }
    for (; child != node.end; child = nodes_[child].end) {
        if (const Rule* result = descend(child, evaluation)) {
            return result;
        }
    }
    return rule.noalert ? nullptr : &rule;
}

}  // namespace portcullis::rules
