// BanSettings: the options of ossec.conf about bans and the addresses that are spared. Plain
// values.
//
// EngineConfig and ExecdConfig are both BanSettings, so that a further option is one member here.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/hold_config.hpp"
#include "base/ip_address.hpp"

namespace portcullis::base {

struct BanSettings {
    CidrSet white_list;
    std::vector<std::string> white_list_hosts;  // entries that are host names
    std::vector<std::string> white_list_files;  // in EngineConfig relative to the home, or absolute
    bool spare_outbound_peers = true;
    int spare_login_days = 0;  // 0 = addresses of successful logins are not spared
    int ipv6_prefix = 128;     // by which IPv6 sources are banned: 128, 64, 56 or 48
    HoldConfig hold;
    std::vector<std::chrono::minutes> repeated_offenders;  // steps after the first offence
    int max_bans_per_minute = 60;
    int max_bans = 100'000;
    bool dry_run = false;
};

}  // namespace portcullis::base
