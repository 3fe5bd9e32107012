// LoginRecords: the addresses of recent successful logins, from /var/log/wtmp and the file that it
// was rotated to, /var/log/wtmp.1 (wtmp(5)).
//
// Failed logins are in another file, btmp. A system without wtmp has no addresses here: Debian 13
// and others keep logins in a database instead. Single-threaded.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "engine/execd/file_signature.hpp"

namespace portcullis::execd {

class LoginRecords {
  public:
    static constexpr std::size_t kMaxAddresses = 10'000;

    struct Login {
        std::string user;
        std::int64_t time = 0;  // unix time
    };

    // `root` precedes /var/log; "" = the host's own.
    explicit LoginRecords(std::string root) : root_(std::move(root)) {}

    // Reads the records that were added, at most the last 4 MB. Returns whether there were any.
    // Costs two stat(2) if nothing has changed.
    bool refresh();

    // Returns "login of alice on 2026-11-14", if there was a login from `target` within `days`
    // before `now`; empty = there was none.
    std::string meaning_of(const base::Cidr& target, int days, base::Timestamp now) const;
    void for_each(int days, base::Timestamp now,
                  const std::function<void(const base::IpAddress&, std::string)>& on_login) const;

  private:
    struct File {
        const char* name;
        FileSignature signature;
        std::int64_t read_until = 0;
    };
    bool read(File& file);
    void take(std::string_view bytes);

    std::string root_;
    std::array<File, 2> files_{File{"/var/log/wtmp.1", {}, 0}, File{"/var/log/wtmp", {}, 0}};
    std::unordered_map<base::IpAddress, Login, base::IpAddressHash> logins_;  // the last of each
};

}  // namespace portcullis::execd
