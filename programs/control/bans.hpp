// The commands bans, protected, ban, unban and flush of portcullis-control. The functions that
// return an int print to standard output or error, and return the exit code.
//
// They ask execd. If execd is down, bans, unban and flush take its lock and do its work by the same
// code, so that an address can be unblocked without a daemon. These three also handle addresses
// that responders block without a ban of this home. If execd is down, the responders of the
// configuration `config_path` are asked; none, if it has errors.
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

// Returns the never-block list, or only the entry that spares `address`, if it is not empty. No
// rows = `address` is not protected. If execd is down: the list that it would make now.
base::Result<std::vector<base::ProtectedRow>> protected_of(const Home& home,
                                                           const std::string& config_path,
                                                           const std::string& address);

enum class Output { Text, Json };
int list_bans(const Home& home, const std::string& config_path, Output output);
// Prints the entry of `address`; "" = the whole list.
int list_protected(const Home& home, const std::string& config_path, const std::string& address);
int ban(const Home& home, const std::string& address, std::chrono::seconds timeout);
int unban(const Home& home, const std::string& config_path, const std::string& address);
int flush_bans(const Home& home, const std::string& config_path);

// The time that execd has to tell how many bans there are.
inline constexpr std::chrono::seconds kBanCountLimit{3};

// Returns the number of bans for a person, as "2 bans active", or that execd does not answer within
// `limit`. Prints nothing. nullopt = only root may ask.
std::optional<std::string> ban_count(const Home& home,
                                     std::chrono::milliseconds limit = kBanCountLimit);

}  // namespace portcullis::programs
