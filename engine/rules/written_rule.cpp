#include "engine/rules/written_rule.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/ascii.hpp"

namespace portcullis::rules {
namespace {

WrittenRule read_rule(const xml::Node& node) {
    WrittenRule rule;
    rule.node = node;
    for (const xml::Node& child : node.children()) {
        const auto settings = setting_rows();
        const auto conditions = condition_rows();
        const auto setting = std::find_if(settings.begin(), settings.end(), [&](const auto& row) {
            return equals_ignoring_case(row.name, child.name());
        });
        const auto condition = std::find_if(
            conditions.begin(), conditions.end(),
            [&](const auto& row) { return equals_ignoring_case(row.name, child.name()); });
        if (setting != settings.end() || condition != conditions.end()) {
            rule.elements.push_back({child, setting == settings.end() ? nullptr : &*setting,
                                     condition == conditions.end() ? nullptr : &*condition});
        }
    }
    return rule;
}

// Name, attributes and text, to compare two elements by.
std::string content_of(const xml::Node& node) {
    std::string content = base::lower(node.name());
    for (const xml::Attribute& attribute : node.attributes()) {
        content += '\n' + attribute.name + '=' + attribute.value;
    }
    content += '\n';
    return content += node.text();
}

WrittenRule overwrite(const WrittenRule& original, const WrittenRule& replacement) {
    WrittenRule rule;
    rule.node = replacement.node;
    const auto take = [&](const WrittenRule& from, OnOverwrite kind) {
        std::copy_if(from.elements.begin(), from.elements.end(), std::back_inserter(rule.elements),
                     [&](const RuleDraft::Element& e) { return e.on_overwrite() == kind; });
    };
    take(original, OnOverwrite::Kept);
    take(replacement, OnOverwrite::Replaced);
    for (const RuleDraft::Element& element : replacement.elements) {
        const auto is_same = [&](const RuleDraft::Element& other) {
            return content_of(other.node) == content_of(element.node);
        };
        if (element.on_overwrite() == OnOverwrite::Kept &&
            std::none_of(original.elements.begin(), original.elements.end(), is_same)) {
            rule.lost.push_back(element.node);
        }
    }
    return rule;
}

}  // namespace

const xml::Node* WrittenRule::find(std::string_view name) const {
    const auto found =
        std::find_if(elements.begin(), elements.end(), [&](const RuleDraft::Element& element) {
            return equals_ignoring_case(element.node.name(), name);
        });
    return found == elements.end() ? nullptr : &found->node;
}

std::map<int, WrittenRule> read_written_rules(const std::vector<xml::Document>& documents,
                                              bool replaces_whole_rules) {
    std::map<int, WrittenRule> rules;
    for (const xml::Document& document : documents) {
        for (const xml::Node& group : document.roots()) {
            for (const xml::Node& node : group.children()) {
                const xml::Attribute* attribute = node.find_attribute("id");
                const auto id =
                    attribute == nullptr ? std::nullopt : parse_digits(attribute->value, 6);
                if (!id) {
                    continue;
                }
                WrittenRule rule = read_rule(node);
                const auto known = rules.find(*id);
                if (known != rules.end() && !replaces_whole_rules) {
                    rule = overwrite(known->second, rule);
                }
                rule.id = *id;
                rules.insert_or_assign(*id, std::move(rule));
            }
        }
    }
    return rules;
}

}  // namespace portcullis::rules
