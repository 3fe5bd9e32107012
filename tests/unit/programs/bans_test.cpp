#include "programs/control/bans.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>

#include "base/fd.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;

TEST_CASE("bans: an execd that does not answer is not waited for beyond the limit") {
    const test::TemporaryFolder folder;
    const programs::Home home(folder.path());
    std::filesystem::create_directories(folder / "run");
    const base::UniqueFd execd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(home.execd_socket().size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, home.execd_socket().c_str(), home.execd_socket().size() + 1);
    REQUIRE(::bind(execd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(execd.get(), 0) == 0);

    const std::string unknown = "not known: execd does not answer (waited 0.05 s)";
    constexpr std::chrono::milliseconds kLimit{50};
    CHECK(programs::ban_count(home, kLimit) == unknown);
    // The first connection is still queued: the next one is not even taken.
    CHECK(programs::ban_count(home, kLimit) == unknown);
    CHECK(programs::ban_count(home, kLimit) == unknown);
}
