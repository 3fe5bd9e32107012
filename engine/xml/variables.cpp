#include "engine/xml/variables.hpp"

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"

namespace portcullis::xml {
bool VariableTable::define(std::string_view name, std::string value) {
    const bool is_new =
        entries_.emplace(base::lower(name), Entry{names_.size(), std::move(value)}).second;
    if (is_new) {
        names_.emplace_back(name);
    }
    return is_new;
}

std::vector<std::string_view> VariableTable::names() const {
    return {names_.begin(), names_.end()};
}

const std::string* VariableTable::find(std::string_view name, std::size_t known) const {
    const auto found = entries_.find(base::lower(name));
    return found != entries_.end() && found->second.index < known ? &found->second.value : nullptr;
}

std::vector<VariableReference> find_references(std::string_view text) {
    constexpr std::string_view kNameEnds = "$.|, ";
    constexpr std::size_t kNeverScanned = 2;
    std::vector<VariableReference> references;
    if (text.size() <= kNeverScanned) {
        return references;
    }
    std::size_t dollar = text.find('$');
    while (dollar != std::string_view::npos) {
        const std::size_t name_begin = dollar + 1;
        const std::size_t name_end =
            std::min(text.find_first_of(kNameEnds, name_begin), text.size());
        if (name_end > name_begin) {
            references.push_back({dollar, text.substr(name_begin, name_end - name_begin)});
        }
        dollar = text.find('$', name_end);
    }
    return references;
}

}  // namespace portcullis::xml
