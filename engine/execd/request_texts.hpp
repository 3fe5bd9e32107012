// What texts of a request may become arguments of a command, and the cursor of the list of bans.
#pragma once

#include <string>
#include <string_view>

#include "engine/execd/ban.hpp"

namespace portcullis::execd {

// A user name as OSSEC lets it pass ([a-zA-Z._0-9@?-]+), but none that a command could take for an
// option, and none that means "no user".
bool is_user_name(std::string_view text);

// Not empty, no control characters, and no option ("-x").
bool is_plain_argument(std::string_view text);

// `text` as one harmless argument: anything but letters, digits and " ._/:@(),=+>-" becomes '_',
// likewise a leading '-'; at most 1024 bytes; "-" if it is empty.
std::string plain_argument(std::string_view text);

// A place in the table of bans as text, and back. An unknown text leads to some place.
std::string cursor_of(const BanKey& key);
BanKey ban_key_of_cursor(std::string_view cursor);

}  // namespace portcullis::execd
