// The files of lists that <list> names: text, or CDB by the suffix ".cdb".
#pragma once

#include <string>

#include "base/diagnostic.hpp"
#include "base/result.hpp"
#include "engine/rules/key_value_list.hpp"

namespace portcullis::programs {

// Reads `path`. Errors: "unreadable-file", "damaged-list".
base::Result<rules::KeyValueList> read_list(const std::string& path);

// The file of the list that ossec.conf names `path`, see load_list().
std::string file_of_list(const std::string& path);

// The list that ossec.conf names `path`, with or without ".cdb": its text, which is the source; if
// there is none, the CDB file that somebody built of it.
base::Result<rules::KeyValueList> load_list(const std::string& path);

// Warns of keys of the text `path` that are never found. Of a CDB, which can hold any key, nothing
// is said.
void lint_list_file(const std::string& path, base::Diagnostics& diagnostics);

// portcullis-control list check: what `path` holds, or what is wrong with it and its keys, and with
// `key` (not empty) what rules would find for it. 0 = good, and the key is in it.
int check_list(const std::string& path, const std::string& key);

}  // namespace portcullis::programs
