#include "engine/respond/binding.hpp"

#include <algorithm>
#include <utility>

namespace portcullis::respond {

ResponseBinding::ResponseBinding(const std::vector<ActiveResponseConfig>& responses,
                                 base::Diagnostics& diagnostics)
    : responses_(responses), groups_(responses.size()) {
    for (std::size_t i = 0; i < responses.size(); ++i) {
        if (responses[i].rules_group.empty()) {
            continue;
        }
        auto compiled =
            pattern::Pattern::compile(pattern::Language::OsRegex, responses[i].rules_group);
        if (compiled) {
            groups_[i] = std::move(*compiled);
            continue;
        }
        base::Diagnostic diagnostic = std::move(compiled.error());
        diagnostic.place = responses[i].place;
        diagnostic.context = "active-response > rules_group";
        diagnostics.add(std::move(diagnostic));
    }
}

std::vector<std::size_t> ResponseBinding::find(const BindableRule& rule) {
    std::vector<std::size_t> bound;
    if (rule.level <= 0 || rule.no_response || !rule.is_accurate) {
        return bound;
    }
    for (std::size_t i = 0; i < responses_.size(); ++i) {
        const ActiveResponseConfig& response = responses_[i];
        const auto& ids = response.rules_id;
        if ((response.level && rule.level >= *response.level) ||
            (groups_[i] && groups_[i]->matches(rule.group, scratch_)) ||
            std::find(ids.begin(), ids.end(), rule.id) != ids.end()) {
            bound.push_back(i);
        }
    }
    return bound;
}

}  // namespace portcullis::respond
