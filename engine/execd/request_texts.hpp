// Checks of the texts of a request that become arguments of a command, and the cursor of the list
// of bans.
#pragma once

#include <string>
#include <string_view>

#include "engine/execd/ban.hpp"

namespace portcullis::execd {

// Whether `text` is a user name that OSSEC accepts ([a-zA-Z._0-9@?-]+), and neither an option
// ("-x") nor "-", which means "no user".
bool is_user_name(std::string_view text);

// Whether `text` is not empty, has no control characters, and is not an option ("-x").
bool is_plain_argument(std::string_view text);

// Returns `text` as a harmless argument of at most 1024 bytes; "-" if it is empty. Characters other
// than letters, digits and " ._/:@(),=+>-" become '_', and so does a leading '-'.
std::string plain_argument(std::string_view text);

// Convert a key of the table of bans to text and back. An unknown text becomes some key.
std::string cursor_of(const BanKey& key);
BanKey ban_key_of_cursor(std::string_view cursor);

}  // namespace portcullis::execd
