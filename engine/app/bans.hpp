// The administrator's view of what is blocked: the commands bans, ban, unban and flush of
// portcullis-control. Each prints to standard output or error and returns the exit code.
//
// They ask execd. When it is down, bans, unban and flush take its lock and do its work themselves,
// by the same code: nobody is locked out for want of a daemon.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "engine/app/home.hpp"

namespace portcullis::app {

int list_bans(const Home& home);
int ban(const Home& home, const std::string& address, std::chrono::seconds timeout);
int unban(const Home& home, const std::string& address);
int flush_bans(const Home& home);

// How many there are ("2 bans"), prints nothing; nullopt = it cannot be told (only root may ask).
std::optional<std::string> ban_count(const Home& home);

}  // namespace portcullis::app
