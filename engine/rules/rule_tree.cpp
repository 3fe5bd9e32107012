#include "engine/rules/rule_tree.hpp"

#include <algorithm>
#include <utility>

#include "engine/pattern/pattern.hpp"

namespace portcullis::rules {

int RuleTree::key_of(const Rule& rule) {
    const int level = rule.level == 0 ? 99 : rule.level;
    return rule.is_accurate ? level * 100 : level;
}

void RuleTree::add(Entry entry) { entries_.push_back(std::move(entry)); }

void RuleTree::replace(std::size_t index, int key, std::string group) {
    entries_[index].key = key;
    entries_[index].group = std::move(group);
}

// Before the first sibling with a smaller key; equal keys keep the order of loading.
void RuleTree::insert(std::vector<std::size_t>& siblings, std::size_t depth) {
    if (nodes_.size() >= kMaxNodes || depth > kMaxDepth) {
        is_too_large_ = true;
        return;
    }
    const std::size_t rule = entries_.size() - 1;
    const int key = entries_[rule].key;
    const auto position = std::find_if(siblings.begin(), siblings.end(), [&](std::size_t sibling) {
        return entries_[nodes_[sibling].rule].key < key;
    });
    siblings.insert(position, nodes_.size());
    nodes_.push_back({rule, {}});
}

void RuleTree::attach_root() { insert(roots_, 0); }

std::size_t RuleTree::attach_by_sid(int sid) { return attach_to_sid(roots_, sid, 1); }

// The first sibling of that id takes the rule and ends the walk of this list; before it, the walk
// goes down into each sibling's children (section 5.2).
std::size_t RuleTree::attach_to_sid(const std::vector<std::size_t>& siblings, int sid,
                                    std::size_t depth) {
    std::size_t count = 0;
    for (const std::size_t node : siblings) {
        if (entries_[nodes_[node].rule].id == sid) {
            insert(nodes_[node].children, depth);
            return count + 1;
        }
        count += attach_to_sid(nodes_[node].children, sid, depth + 1);
        if (is_too_large_) {
            break;
        }
    }
    return count;
}

std::size_t RuleTree::attach_by_level(int level) {
    return attach_where(
        roots_, [&](const Entry& entry) { return entry.key >= level * 100; }, 1);
}

std::size_t RuleTree::attach_by_group(std::string_view words) {
    return attach_where(
        roots_, [&](const Entry& entry) { return pattern::word_match(words, entry.group); }, 1);
}

std::size_t RuleTree::attach_where(const std::vector<std::size_t>& siblings,
                                   const std::function<bool(const Entry&)>& is_parent,
                                   std::size_t depth) {
    const std::size_t rule = entries_.size() - 1;
    std::size_t count = 0;
    for (const std::size_t node : siblings) {
        if (nodes_[node].rule == rule) {
            continue;
        }
        if (is_parent(entries_[nodes_[node].rule])) {
            insert(nodes_[node].children, depth);
            ++count;
        }
        if (is_too_large_) {
            break;
        }
        count += attach_where(nodes_[node].children, is_parent, depth + 1);
    }
    return count;
}

std::size_t RuleTree::attach_by_category(event::EventType category) {
    const auto root = std::find_if(roots_.begin(), roots_.end(), [&](std::size_t node) {
        return entries_[nodes_[node].rule].category == category;
    });
    if (root == roots_.end()) {
        return 0;
    }
    insert(nodes_[*root].children, 1);
    return 1;
}

std::vector<RuleSet::Node> RuleTree::flatten(const std::vector<Rule>& rules) const {
    std::vector<RuleSet::Node> flat;
    flat.reserve(nodes_.size());
    for (const std::size_t root : roots_) {
        flatten(root, rules, flat);
    }
    return flat;
}

void RuleTree::flatten(std::size_t node, const std::vector<Rule>& rules,
                       std::vector<RuleSet::Node>& out) const {
    const Rule& rule = rules[nodes_[node].rule];
    const std::size_t position = out.size();
    out.push_back({static_cast<std::uint32_t>(rule.index), 0, rule.decoder_id});
    for (const std::size_t child : nodes_[node].children) {
        flatten(child, rules, out);
    }
    out[position].end = static_cast<std::uint32_t>(out.size());
}

}  // namespace portcullis::rules
