// RuleTree: the parents and siblings of each rule during loading (spec: rules, section 5). Internal
// to the loader; flatten() gives the form that is evaluated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/event/event.hpp"
#include "engine/rules/rule.hpp"
#include "engine/rules/rule_set.hpp"

namespace portcullis::rules {

class RuleTree {
  public:
    // A rule with several parents has a node below each, and so have its children. A larger or
    // deeper tree is an error of the rule files.
    static constexpr std::size_t kMaxNodes = 500'000;
    static constexpr std::size_t kMaxDepth = 128;

    // The facts about a rule that decide its place.
    struct Entry {
        int id = 0;
        // level * 100; level 0 counts as 99; not multiplied for accuracy="0" (section 5.3).
        int key = 0;
        std::string group;
        event::EventType category = event::EventType::Syslog;
    };
    static int key_of(const Rule& rule);

    // Adds a rule without attaching it; rules are numbered from 0 in this order.
    void add(Entry entry);
    // New values of an overwritten rule; its places stay.
    void replace(std::size_t index, int key, std::string group);

    // Each attaches the last rule added and returns the number of nodes that this made; 0 = the
    // rule has no such parent.
    void attach_root();
    std::size_t attach_by_sid(int sid);
    std::size_t attach_by_level(int level);
    std::size_t attach_by_group(std::string_view words);
    std::size_t attach_by_category(event::EventType category);

    // Whether the number of nodes or their depth is beyond its limit; then nothing more is
    // attached.
    bool is_too_large() const { return is_too_large_; }

    // In the order of evaluation, decoder ids are those of `rules` (by index).
    std::vector<RuleSet::Node> flatten(const std::vector<Rule>& rules) const;

  private:
    struct Node {
        std::size_t rule = 0;
        std::vector<std::size_t> children;  // indices of nodes, in the order of evaluation
    };
    void insert(std::vector<std::size_t>& siblings, std::size_t depth);
    std::size_t attach_to_sid(const std::vector<std::size_t>& siblings, int sid, std::size_t depth);
    std::size_t attach_where(const std::vector<std::size_t>& siblings,
                             const std::function<bool(const Entry&)>& is_parent, std::size_t depth);
    void flatten(std::size_t node, const std::vector<Rule>& rules,
                 std::vector<RuleSet::Node>& out) const;

    std::vector<Entry> entries_;
    std::deque<Node> nodes_;  // a deque: lists stay where they are while nodes are added
    std::vector<std::size_t> roots_;
    bool is_too_large_ = false;
};

}  // namespace portcullis::rules
