#include "engine/execd/login_records.hpp"

#include <arpa/inet.h>
#include <utmpx.h>

#include <cstring>
#include <filesystem>

#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::execd;

namespace {

constexpr std::int64_t kNow = 1'699'963'200;
constexpr std::int64_t kDay = 86'400;

base::IpAddress address(const char* text) { return *base::IpAddress::parse(text); }
base::Timestamp now() { return base::Timestamp(std::chrono::seconds(kNow)); }

// One record, as login(1) and sshd write it.
std::string record(int type, const char* user, const char* from, std::int64_t time,
                   bool is_text_only = false) {
    utmpx entry{};
    entry.ut_type = static_cast<short>(type);
    std::strncpy(entry.ut_user, user, sizeof entry.ut_user);
    entry.ut_tv.tv_sec = static_cast<decltype(entry.ut_tv.tv_sec)>(time);
    if (is_text_only) {
        std::strncpy(entry.ut_host, from, sizeof entry.ut_host);
    } else if (const auto parsed = base::IpAddress::parse(from)) {
        std::memcpy(entry.ut_addr_v6, parsed->data(), parsed->size());
    }
    return {reinterpret_cast<const char*>(&entry), sizeof entry};
}

}  // namespace

TEST_CASE("login_records: the addresses of logins of the last days, and of nothing else") {
    const test::TemporaryFolder root;
    std::filesystem::create_directories(root / "var/log");
    test::overwrite(root / "var/log/wtmp.1",
                    record(USER_PROCESS, "alice", "192.0.2.1", kNow - 3 * kDay) +
                        record(USER_PROCESS, "alice", "192.0.2.9", kNow - 9 * kDay));
    test::overwrite(root / "var/log/wtmp",
                    record(BOOT_TIME, "reboot", "192.0.2.2", kNow) +
                        record(DEAD_PROCESS, "bob", "192.0.2.3", kNow) +
                        record(LOGIN_PROCESS, "LOGIN", "192.0.2.4", kNow) +
                        record(USER_PROCESS, "bob", "2001:db8::5", kNow - kDay) +
                        record(USER_PROCESS, "a\x1b[31mb", "192.0.2.6", kNow, true) +
                        record(USER_PROCESS, "tty", "-", kNow) + "half a record");
    LoginRecords logins(root.path());
    CHECK(logins.refresh());
    CHECK_FALSE(logins.refresh());
    const auto meaning = [&](const char* of, int days = 7) {
        return logins.meaning_of(*base::Cidr::parse(of), days, now());
    };
    CHECK(meaning("192.0.2.1") == "login of alice on 2023-11-11");
    CHECK(meaning("192.0.2.1", 3).empty());
    CHECK(meaning("192.0.2.9").empty());
    CHECK(meaning("192.0.2.9", 30) != "");
    for (const char* nobody : {"192.0.2.2", "192.0.2.3", "192.0.2.4", "0.0.0.0"}) {
        CAPTURE(nobody);
        CHECK(meaning(nobody).empty());
    }
    CHECK(meaning("2001:db8::5").find("login of bob") == 0);
    CHECK(meaning("2001:db8::/64").find("login of bob") == 0);
    CHECK(meaning("192.0.2.6").find("login of a_[31mb") == 0);

    // What is added is read; what is rotated stays known.
    std::filesystem::rename(root / "var/log/wtmp", root / "var/log/wtmp.1");
    test::overwrite(root / "var/log/wtmp", record(USER_PROCESS, "carol", "192.0.2.7", kNow));
    CHECK(logins.refresh());
    CHECK(meaning("192.0.2.7") != "");
    CHECK(meaning("2001:db8::5") != "");
    test::append_to(root / "var/log/wtmp", record(USER_PROCESS, "carol", "192.0.2.8", kNow));
    CHECK(logins.refresh());
    CHECK(meaning("192.0.2.8") != "");
}

TEST_CASE("login_records: a file that is not a wtmp protects no address") {
    const test::TemporaryFolder root;
    std::filesystem::create_directories(root / "var/log");
    std::filesystem::create_directories(root / "var/log/wtmp.1");  // a folder
    test::overwrite(root / "var/log/wtmp", std::string(100'000, '\x07'));
    LoginRecords logins(root.path());
    logins.refresh();
    int count = 0;
    logins.for_each(365, now(), [&](const base::IpAddress&, const std::string&) { ++count; });
    CHECK(count == 0);
    CHECK(LoginRecords("/nonexistent").meaning_of(address("192.0.2.1"), 7, now()).empty());
}
