#include "programs/list_file.hpp"

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/fd.hpp"
#include "engine/rules/list_lint.hpp"

namespace portcullis::programs {
namespace {

constexpr std::string_view kCdb = ".cdb";

}  // namespace

std::string file_of_list(const std::string& path) {
    std::string text(rules::list_name(path));
    std::string cdb = text + std::string(kCdb);
    const bool has_cdb_only = ::access(text.c_str(), F_OK) != 0 && ::access(cdb.c_str(), F_OK) == 0;
    return has_cdb_only ? cdb : text;
}

base::Result<rules::KeyValueList> read_list(const std::string& path) {
    auto bytes = base::read_file(path, rules::KeyValueList::kMaxFileBytes + 1);
    if (!bytes) {
        return base::fail(bytes.error());
    }
    if (bytes->size() > rules::KeyValueList::kMaxFileBytes) {
        return base::fail("unreadable-file",
                          fmt::format("has more than {} bytes, too many for a list",
                                      rules::KeyValueList::kMaxFileBytes),
                          {path});
    }
    if (!path.ends_with(kCdb)) {
        return rules::KeyValueList::parse(*bytes);
    }
    auto list = rules::KeyValueList::from_cdb(std::move(*bytes));
    if (!list) {
        list.error().place.file = path;
    }
    return list;
}

base::Result<rules::KeyValueList> load_list(const std::string& path) {
    return read_list(file_of_list(path));
}

void lint_list_file(const std::string& path, base::Diagnostics& diagnostics) {
    if (path.ends_with(kCdb)) {
        return;
    }
    // An unreadable file is already an error of the loader.
    if (const auto text = base::read_file(path, rules::KeyValueList::kMaxFileBytes)) {
        rules::lint_list(path, *text, diagnostics);
    }
}

int check_list(const std::string& path, const std::string& key) {
    const auto list = read_list(path);
    if (!list) {
        std::fputs(base::render(list.error()).c_str(), stderr);
        return 1;
    }
    std::string text = fmt::format("{}: {}, {} entries", path,
                                   path.ends_with(kCdb) ? "CDB" : "text", list->size());
    if (const std::size_t repeated = list->repeated_keys(); repeated > 0) {
        text +=
            fmt::format(", {} with a key that was there before (the first one counts)", repeated);
    }
    if (list->skipped_lines() > 0) {
        text += fmt::format(", {} lines without ':' are skipped", list->skipped_lines());
    }
    text += '\n';
    bool is_in_it = true;
    if (!key.empty()) {
        const auto found = list->find(key);
        const auto by_address = found ? found : list->find_address(key);
        is_in_it = by_address.has_value();
        if (found) {
            text += fmt::format("{}: \"{}\"\n", key, found->value);
        } else if (by_address) {
            text += fmt::format("{}: \"{}\", by its beginning {} (address_match_key only)\n", key,
                                by_address->value, by_address->key);
        } else {
            text += fmt::format("{}: not in the list\n", key);
        }
    }
    std::fputs(text.c_str(), stdout);
    base::Diagnostics diagnostics;
    lint_list_file(path, diagnostics);
    std::fputs(base::render(diagnostics).c_str(), stdout);
    return is_in_it ? 0 : 1;
}

}  // namespace portcullis::programs
