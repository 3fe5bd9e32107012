// The files of lists that <list> names: text, or CDB by the suffix ".cdb".
#pragma once

#include <string>

#include "base/diagnostic.hpp"
#include "base/result.hpp"
#include "engine/rules/key_value_list.hpp"

namespace portcullis::programs {

// Reads `path`. Errors: "unreadable-file", "damaged-list".
base::Result<rules::KeyValueList> read_list(const std::string& path);

// The file of the list `path` of ossec.conf, see load_list().
std::string file_of_list(const std::string& path);

// The list `path` of ossec.conf, with or without ".cdb". Its text file is read if it exists,
// otherwise the CDB file that was built from it.
base::Result<rules::KeyValueList> load_list(const std::string& path);

// Warns about keys of the text file `path` that are never found. A CDB file can have any key, so it
// is not checked.
void lint_list_file(const std::string& path, base::Diagnostics& diagnostics);

// portcullis-control list check: prints the number of entries of `path`, or its errors, and the
// value that rules find for `key`, if it is not empty. 0 = no errors, and the key is in the list.
int check_list(const std::string& path, const std::string& key);

}  // namespace portcullis::programs
