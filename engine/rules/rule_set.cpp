#include "engine/rules/rule_set.hpp"

#include <utility>

#include "engine/rules/correlator.hpp"

namespace portcullis::rules {
namespace {

enum class Storing { Allowed, Avoided };

struct Failure {
    Mismatch::What what = Mismatch::What::Nothing;
    std::size_t condition = 0;
};

// The first condition of `rule` in [begin, end) that does not hold.
inline Failure find_stateless_failure(const Rule& rule, std::size_t begin, std::size_t end,
                                      const EventView& view) {
    for (std::size_t i = begin; i < end; ++i) {
        if (!evaluate(rule.conditions[i], view)) {
            return {Mismatch::What::Condition, i};
        }
    }
    return {};
}

Failure find_failure_with_state(const Rule& rule, const EventView& view, Correlator& correlator,
                                Storing storing) {
    std::size_t next = 0;
    for (std::size_t i = 0; i < rule.stateful_conditions.size(); ++i) {
        const StatefulCondition& condition = rule.stateful_conditions[i];
        const Failure failure = find_stateless_failure(rule, next, condition.position, view);
        if (failure.what != Mismatch::What::Nothing) {
            return failure;
        }
        next = condition.position;
        const bool is_left_out = storing == Storing::Avoided && condition.stores_event();
        if (!is_left_out && !evaluate(condition, rule, view.event, correlator)) {
            return {Mismatch::What::StatefulCondition, i};
        }
    }
    return find_stateless_failure(rule, next, rule.conditions.size(), view);
}

// The first condition of `rule` that does not hold, in the order of evaluation. If storing is to be
// avoided, the conditions that store something of the event are taken to hold.
inline Failure find_failure(const Rule& rule, const EventView& view, Correlator& correlator,
                            Storing storing) {
    // Nearly all rules have no stateful condition, so that case is inlined.
    return rule.stateful_conditions.empty()
               ? find_stateless_failure(rule, 0, rule.conditions.size(), view)
               : find_failure_with_state(rule, view, correlator, storing);
}

}  // namespace

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

std::vector<std::uint32_t> RuleSet::path_to(std::uint32_t node) const {
    std::vector<std::uint32_t> path;
    std::uint32_t at = 0;
    while (at <= node && at < nodes_.size()) {
        if (node < nodes_[at].end) {  // in the subtree of `at`
            path.push_back(at++);
        } else {
            at = nodes_[at].end;
        }
    }
    return path;
}

Mismatch RuleSet::find_mismatch(const Rule& rule, const event::Event& event,
                                pattern::MatchScratch& scratch, Correlator& correlator) const {
    if (rule.decoder_id != 0 && rule.decoder_id != event.decoder_id) {
        return {Mismatch::What::DecodedAs, 0, {}};
    }
    if (event.log.size() < rule.minimum_log_size) {
        return {Mismatch::What::Size, 0, {}};
    }
    const Failure failure = find_failure(rule, {event, scratch}, correlator, Storing::Avoided);
    return {failure.what, failure.condition, {}};
}

struct RuleSet::Evaluation {
    EventView view;
    Correlator& correlator;
    Trace* trace;

    void note(Trace::What what, const Rule& rule, std::uint32_t node) const {
        if (trace != nullptr) {
            trace->steps.push_back({what, &rule, node, {}});
        }
    }

    // `mismatch`, if given, is set to the first demand that the event does not meet.
    bool matches(const Node& node, const Rule& rule, Mismatch* mismatch) const {
        if (node.decoder_id != 0 && node.decoder_id != view.event.decoder_id) {
            return fails(mismatch, Mismatch::What::DecodedAs);
        }
        if (view.event.log.size() < rule.minimum_log_size) {
            return fails(mismatch, Mismatch::What::Size);
        }
        const Failure failure = find_failure(rule, view, correlator, Storing::Allowed);
        if (failure.what != Mismatch::What::Nothing) {
            return fails(mismatch, failure.what, failure.condition);
        }
        if (rule.composite &&
            !correlator.consume_matches(rule, view.event, view.scratch,
                                        mismatch == nullptr ? nullptr : &mismatch->search)) {
            return fails(mismatch, Mismatch::What::EarlierEvents);
        }
        return true;
    }

    static bool fails(Mismatch* mismatch, Mismatch::What what, std::size_t condition = 0) {
        if (mismatch != nullptr) {
            mismatch->what = what;
            mismatch->condition = condition;
        }
        return false;
    }
};

const Rule* RuleSet::evaluate(const event::Event& event, pattern::MatchScratch& scratch,
                              Correlator& correlator, Trace* trace) const {
    Evaluation evaluation{{event, scratch}, correlator, trace};
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
    evaluation.note(Trace::What::Tried, rule, index);
    Trace* const trace = evaluation.trace;
    if (!evaluation.matches(node, rule,
                            trace == nullptr ? nullptr : &trace->steps.back().mismatch)) {
        return nullptr;
    }
    evaluation.note(Trace::What::Matched, rule, index);
    std::uint32_t child = index + 1;
    if (child != node.end) {
        evaluation.note(Trace::What::TryingChildren, rule, index);
    }
    for (; child != node.end; child = nodes_[child].end) {
        if (const Rule* result = descend(child, evaluation)) {
            return result;
        }
    }
    return rule.noalert ? nullptr : &rule;
}

}  // namespace portcullis::rules
