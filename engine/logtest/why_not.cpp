#include "engine/logtest/why_not.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/logtest/mismatch.hpp"
#include "engine/rules/rule.hpp"

namespace portcullis::logtest {
namespace {

using rules::Mismatch;
using rules::Rule;
using rules::RuleSet;
using rules::Trace;
using Reason = WhyNot::Reason;
using Json = nlohmann::ordered_json;

constexpr std::string_view kIndent = "    ";

const Trace::Step* find_tried(const Trace& trace, std::uint32_t node) {
    const auto found =
        std::find_if(trace.steps.begin(), trace.steps.end(), [&](const Trace::Step& step) {
            return step.what == Trace::What::Tried && step.node == node;
        });
    return found == trace.steps.end() ? nullptr : &*found;
}

// A rule that matched and can be a result is the result at the first of its nodes that matched.
std::optional<std::uint32_t> find_result_node(const Trace& trace, const Rule* result) {
    const auto found =
        std::find_if(trace.steps.begin(), trace.steps.end(), [&](const Trace::Step& step) {
            return step.what == Trace::What::Matched && step.rule == result;
        });
    return found == trace.steps.end() || result == nullptr ? std::nullopt
                                                           : std::optional(found->node);
}

class Search {
  public:
    Search(const RuleSet& rules, const Trace& trace, const pipeline::Outcome& outcome)
        : rules_(rules),
          trace_(trace),
          outcome_(outcome),
          result_node_(find_result_node(trace, outcome.rule)) {}

    WhyNot at(std::uint32_t node) const {
        WhyNot found;
        found.path = rules_.path_to(node);
        for (std::size_t i = 0; i < found.path.size(); ++i) {
            found.stopped_at = i;
            if (trace_.steps.empty()) {  // dropped, or an alert that was forwarded with its rule
                found.reason =
                    outcome_.rule == &rule_at(node) ? Reason::IsResult : Reason::Shadowed;
                return found;
            }
            if (i == 0 && rule_at(found.path[i]).category != outcome_.event->type) {
                found.reason = Reason::Category;
                return found;
            }
            const Trace::Step* tried = find_tried(trace_, found.path[i]);
            if (tried == nullptr) {
                found.reason = Reason::Shadowed;
                found.other = result_node_ ? sibling_with_result(found.path, i) : nullptr;
                return found;
            }
            if (tried->mismatch.what != Mismatch::What::Nothing) {
                const bool is_own = i + 1 == found.path.size();
                found.reason = is_own ? Reason::Mismatch : Reason::ParentMismatch;
                found.other = is_own ? nullptr : tried->rule;
                found.mismatch = tried->mismatch;
                return found;
            }
        }
        explain_match(found, node);
        return found;
    }

  private:
    const Rule& rule_at(std::uint32_t node) const {
        return rules_.rules()[rules_.nodes()[node].rule];
    }
    bool contains(std::uint32_t node, std::uint32_t inner) const {
        return node <= inner && inner < rules_.nodes()[node].end;
    }

    // The search came to an end in the subtree of a sibling of path[i] that is tried before it.
    const Rule* sibling_with_result(const std::vector<std::uint32_t>& path, std::size_t i) const {
        std::uint32_t sibling = i == 0 ? 0 : path[i - 1] + 1;
        while (sibling < path[i] && !contains(sibling, *result_node_)) {
            sibling = rules_.nodes()[sibling].end;
        }
        return sibling < path[i] ? &rule_at(sibling) : outcome_.rule;
    }

    // The rule itself matched.
    void explain_match(WhyNot& found, std::uint32_t node) const {
        if (result_node_ == node) {
            found.reason = Reason::IsResult;
        } else if (result_node_ && contains(node, *result_node_)) {
            found.reason = Reason::ChildIsResult;
            found.other = outcome_.rule;
        } else {
            found.reason = Reason::NoAlert;
        }
    }

    const RuleSet& rules_;
    const Trace& trace_;
    const pipeline::Outcome& outcome_;
    std::optional<std::uint32_t> result_node_;
};

std::string named(const Rule& rule) {
    return fmt::format("rule {} ({})", rule.id, shown_place(rule.place));
}

std::string result_text(const Rule& rule, const pipeline::Outcome& outcome) {
    std::string out = "It is the result.";
    if (outcome.ignored) {
        out += rule.silence ? fmt::format(
                                  " Its ignore=\"{}\" silences it: it has alerted less than "
                                  "{} s ago.",
                                  rule.silence->count(), rule.silence->count())
                            : std::string(" Its <check_if_ignored> silences it.");
    } else if (rule.level == 0) {
        out += " Level 0 makes no alert.";
    } else if (!outcome.is_logged()) {
        out += " No record is written: no_log, or a level below log_alert_level.";
    }
    return out;
}

std::string mismatch_text(const Rule& rule, const Mismatch& mismatch,
                          const pipeline::Outcome& outcome, pattern::MatchScratch& scratch) {
    return rule_mismatch_text(rule, mismatch, *outcome.event, kMarkIndent, scratch);
}

std::string reason_text(const WhyNot& why_not, const Rule& rule, const Rule& stopped_at,
                        const pipeline::Outcome& outcome, pattern::MatchScratch& scratch) {
    switch (why_not.reason) {
        case Reason::IsResult:
            return result_text(rule, outcome);
        case Reason::ChildIsResult:
            return fmt::format("It matches, and so does {} below it, which is the result.",
                               named(*why_not.other));
        case Reason::NoAlert:
            return "It matches, but noalert keeps it from being a result, and none below it is "
                   "one.";
        case Reason::Mismatch:
            return mismatch_text(rule, why_not.mismatch, outcome, scratch);
        case Reason::ParentMismatch:
            return fmt::format("Its parent, {}, does not match: {}", named(*why_not.other),
                               mismatch_text(*why_not.other, why_not.mismatch, outcome, scratch));
        case Reason::Category:
            return fmt::format("Only events of type {} come there; this one is of type {}{}.",
                               event::name_of(stopped_at.category),
                               event::name_of(outcome.event->type),
                               outcome.event->decoder_name.empty()
                                   ? std::string(", since no decoder took it")
                                   : fmt::format(" (decoder {})", outcome.event->decoder_name));
        case Reason::Shadowed:
            break;
    }
    if (why_not.other == nullptr) {
        return outcome.dropped ? "No rule was tried: the event was dropped before."
                               : "No rule was tried: the event names its rule itself.";
    }
    const std::string tried =
        stopped_at.id == rule.id ? "It" : fmt::format("Its parent, {},", named(stopped_at));
    const bool is_own_match = why_not.own_mismatch.what == Mismatch::What::Nothing;
    return fmt::format(
        "{} is not tried: {} comes before it (level {} before level {}, else in the order of the "
        "files) and matches, which ends the search among siblings.\n{}{}",
        tried, named(*why_not.other), why_not.other->level, stopped_at.level, kIndent,
        is_own_match ? std::string("Its own conditions on this event hold.")
                     : "Its own conditions do not hold either: " +
                           mismatch_text(rule, why_not.own_mismatch, outcome, scratch));
}

std::string path_text(const WhyNot& why_not, const RuleSet& rules) {
    std::string out = "It is a root rule";
    for (std::size_t i = 0; i + 1 < why_not.path.size(); ++i) {
        const int id = rules.rules()[rules.nodes()[why_not.path[i]].rule].id;
        out = i == 0 ? fmt::format("It hangs under {}", id) : fmt::format("{} > {}", out, id);
    }
    if (why_not.places > 1) {
        out += fmt::format(", and in {} other places, where the event gets no farther",
                           why_not.places - 1);
    }
    return out + ".";
}

}  // namespace

WhyNot find_why_not(const Rule& rule, const RuleSet& rules, const Trace& trace,
                    const pipeline::Outcome& outcome, const Mismatch& own_mismatch) {
    const Search search(rules, trace, outcome);
    WhyNot best;
    std::size_t places = 0;
    const auto nodes = rules.nodes();
    for (std::uint32_t node = 0; node < nodes.size(); ++node) {
        if (nodes[node].rule != rule.index) {
            continue;
        }
        WhyNot here = search.at(node);
        const bool is_nearer = here.stopped_at > best.stopped_at ||
                               (here.stopped_at == best.stopped_at && here.reason < best.reason);
        if (places == 0 || is_nearer) {
            best = std::move(here);
        }
        ++places;
    }
    best.places = places;
    best.own_mismatch = own_mismatch;
    return best;
}

std::string why_not_text(const WhyNot& why_not, const Rule& rule, const RuleSet& rules,
                         const pipeline::Outcome& outcome, pattern::MatchScratch& scratch) {
    if (why_not.path.empty()) {
        return fmt::format("\n**Why not rule {}:\n{}It hangs nowhere.\n", rule.id, kIndent);
    }
    const Rule& stopped_at = rules.rules()[rules.nodes()[why_not.path[why_not.stopped_at]].rule];
    return fmt::format("\n**Why not rule {} ({}):\n{}{}\n{}{}\n", rule.id, shown_place(rule.place),
                       kIndent, path_text(why_not, rules), kIndent,
                       reason_text(why_not, rule, stopped_at, outcome, scratch));
}

Json why_not_json(const WhyNot& why_not, const Rule& rule, const RuleSet& rules,
                  const pipeline::Outcome& outcome, pattern::MatchScratch& scratch) {
    static constexpr std::array<const char*, 7> kReasons{
        "is the result", "a child is the result", "noalert", "does not match", "parent",
        "shadowed",      "other category"};
    const Rule& missing = why_not.other == nullptr ? rule : *why_not.other;
    Json json{{"rule", rule.id}, {"reason", kReasons[static_cast<std::size_t>(why_not.reason)]}};
    json["path"] = Json::array();
    for (const std::uint32_t node : why_not.path) {
        json["path"].push_back(rules.rules()[rules.nodes()[node].rule].id);
    }
    json["other"] = why_not.other == nullptr ? Json(nullptr) : Json(why_not.other->id);
    json["miss"] = rule_mismatch_json(missing, why_not.mismatch, *outcome.event, scratch);
    json["own_miss"] = rule_mismatch_json(rule, why_not.own_mismatch, *outcome.event, scratch);
    json["ignored"] = outcome.ignored && outcome.rule == &rule;
    return json;
}

}  // namespace portcullis::logtest
