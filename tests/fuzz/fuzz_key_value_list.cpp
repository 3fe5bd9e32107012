// Any bytes are a list: as CDB they are refused or every look-up stays inside them; as text each
// line is found again with the value of its first occurrence, in the CDB that is made of it, too.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "engine/rules/key_value_list.hpp"
#include "engine/rules/list_lint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using portcullis::rules::KeyValueList;
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    if (const auto cdb = KeyValueList::from_cdb(bytes)) {
        std::size_t found = 0;
        for (std::size_t at = 0; at < size; at += 1 + at / 8) {
            const std::string key = bytes.substr(at, at % 20);
            const auto entry = cdb->find(key);
            found += entry ? entry->value.size() : 0;
            static_cast<void>(cdb->find_address(key));
        }
        if (found > size * size || cdb->repeated_keys() > cdb->size()) {
            std::abort();
        }
    }
    const KeyValueList list = KeyValueList::parse(bytes);
    std::map<std::string_view, std::string_view> expected;
    for (std::string_view rest = portcullis::base::without_byte_order_mark(bytes); !rest.empty();) {
        std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        line.remove_suffix(line.ends_with('\r') ? 1 : 0);
        line = line.substr(0, line.find("###"));
        if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
            expected.emplace(line.substr(0, colon), line.substr(colon + 1));
        }
    }
    for (const auto& [key, value] : expected) {
        if (const auto found = list.find(key); !found || found->value != value) {
            std::abort();
        }
    }
    if (list.size() - list.repeated_keys() != expected.size()) {
        std::abort();
    }
    portcullis::base::Diagnostics diagnostics;
    portcullis::rules::lint_list("list", bytes, diagnostics);
    if (diagnostics.all().size() > portcullis::rules::kMaxUnfindableKeys + 1) {
        std::abort();
    }
    return 0;
}
