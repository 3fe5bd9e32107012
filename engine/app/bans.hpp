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

#include "engine/app/home.hpp"

namespace portcullis::app {

int list_bans(const Home& home, const std::string& config_path);
int ban(const Home& home, const std::string& address, std::chrono::seconds timeout);
int unban(const Home& home, const std::string& config_path, const std::string& address);
int flush_bans(const Home& home, const std::string& config_path);

// How many there are ("2 bans"), prints nothing; nullopt = it cannot be told (only root may ask).
std::optional<std::string> ban_count(const Home& home);

}  // namespace portcullis::app
