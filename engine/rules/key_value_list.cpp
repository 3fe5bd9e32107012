#include "engine/rules/key_value_list.hpp"

namespace portcullis::rules {

KeyValueList KeyValueList::parse(std::string_view text) {
    KeyValueList list;
    while (!text.empty()) {
        const std::size_t newline = text.find('\n');
        std::string_view line = text.substr(0, newline);
        text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
        line = line.substr(0, line.find("###"));
        if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
            list.values_.emplace(line.substr(0, colon), line.substr(colon + 1));
        }
    }
    return list;
}

std::optional<std::string_view> KeyValueList::find(std::string_view key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

std::optional<std::string_view> KeyValueList::find_address(std::string_view address) const {
    auto found = find(address);
    while (!found && !address.empty()) {
        const std::size_t dot = address.substr(0, address.size() - 1).rfind('.');
        if (dot == std::string_view::npos) {
            break;
        }
        address = address.substr(0, dot + 1);
        found = find(address);
    }
    return found;
}

}  // namespace portcullis::rules
