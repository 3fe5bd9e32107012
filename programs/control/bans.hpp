// The administrator's view of what is blocked: the commands bans, ban, unban and flush of
// portcullis-control. Each prints to standard output or error and returns the exit code.
//
// They ask execd. When it is down, bans, unban and flush take its lock and do its work themselves,
// by the same code: nobody is locked out for want of a daemon. The three also know what responders
// block without a ban of this home that explains it; with execd down `config_path` names the
// responders to ask (one that cannot be read is passed over).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/response_message.hpp"
#include "base/result.hpp"
#include "programs/control/ban_listing.hpp"
#include "programs/home.hpp"

namespace portcullis::programs {

// What is blocked now.
base::Result<BanListing> listing_of(const Home& home, const std::string& config_path);

// The never-block list, or the entry that spares `address`: none if there is none. With execd down:
// the list that it would make now.
base::Result<std::vector<base::ProtectedRow>> protected_of(const Home& home,
                                                           const std::string& config_path,
                                                           const std::string& address);

enum class Output { Text, Json };
int list_bans(const Home& home, const std::string& config_path, Output output);
// Empty `address`: the whole list.
int list_protected(const Home& home, const std::string& config_path, const std::string& address);
int ban(const Home& home, const std::string& address, std::chrono::seconds timeout);
int unban(const Home& home, const std::string& config_path, const std::string& address);
int flush_bans(const Home& home, const std::string& config_path);

// How many there are ("2 bans", or with the words that tell of a dry run), prints nothing; nullopt
// = it cannot be told (only root may ask).
std::optional<std::string> ban_count(const Home& home);

}  // namespace portcullis::programs
