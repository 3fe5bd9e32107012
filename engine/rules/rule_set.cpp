#include "engine/rules/rule_set.hpp"

#include <utility>

#include "engine/rules/correlator.hpp"

namespace portcullis::rules {
namespace {

enum class StateChange { Allowed, Avoided };

struct Failure {
    Mismatch::What what = Mismatch::What::Nothing;
    std::size_t condition = 0;
};

using Conditions = std::vector<Condition>;

// The first condition in [first, last) that does not hold; `last` = all hold.
Conditions::const_iterator find_false(Conditions::const_iterator first,
                                      Conditions::const_iterator last, const EventView& view) {
    while (first != last && evaluate(*first, view)) {
        ++first;
    }
    return first;
}

// The first condition of `rule` that does not hold, in the order of evaluation. If a change of
// state is to be avoided, the conditions that would make one are taken to hold.
Failure find_failure(const Rule& rule, const EventView& view, Correlator& correlator,
                     StateChange state_change) {
    const auto begin = rule.conditions.begin();
    auto next = begin;
    const auto failure_at_next = [&] {
        return Failure{Mismatch::What::Condition, static_cast<std::size_t>(next - begin)};
    };
    for (const StatefulCondition& condition : rule.stateful_conditions) {
        const auto position = begin + static_cast<std::ptrdiff_t>(condition.position);
        next = find_false(next, position, view);
        if (next != position) {
            return failure_at_next();
        }
        if (state_change == StateChange::Avoided && condition.changes_state()) {
            continue;
        }
        if (!evaluate(condition, rule, view.event, correlator)) {
            return {Mismatch::What::StatefulCondition,
                    static_cast<std::size_t>(&condition - rule.stateful_conditions.data())};
        }
    }
    next = find_false(next, rule.conditions.end(), view);
    return next == rule.conditions.end() ? Failure{} : failure_at_next();
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
    const Failure failure = find_failure(rule, {event, scratch}, correlator, StateChange::Avoided);
    return {failure.what, failure.condition, {}};
}

struct RuleSet::Evaluation {
    const event::Event& event;
    pattern::MatchScratch& scratch;
    Correlator& correlator;
    Trace* trace;

    void note(Trace::What what, const Rule& rule, std::uint32_t node) const {
        if (trace != nullptr) {
            trace->steps.push_back({what, &rule, node, {}});
        }
    }

    // `mismatch`, if given, is set to the first demand that the event does not meet.
    bool matches(const Node& node, const Rule& rule, Mismatch* mismatch) const {
        if (node.decoder_id != 0 && node.decoder_id != event.decoder_id) {
            return fails(mismatch, Mismatch::What::DecodedAs);
        }
        if (event.log.size() < rule.minimum_log_size) {
            return fails(mismatch, Mismatch::What::Size);
        }
        const Failure failure =
            find_failure(rule, {event, scratch}, correlator, StateChange::Allowed);
        if (failure.what != Mismatch::What::Nothing) {
            return fails(mismatch, failure.what, failure.condition);
        }
        if (rule.composite &&
            !correlator.consume_matches(rule, event, scratch,
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
