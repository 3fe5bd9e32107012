#include "engine/execd/host_names.hpp"

#include <catch2/catch.hpp>

#include <poll.h>

#include <optional>

using namespace portcullis;
using execd::HostNames;

namespace {

constexpr std::chrono::seconds kDeadline{20};
constexpr int kNames = 64;

base::IpAddress address(const std::string& text) { return *base::IpAddress::parse(text); }

// Names that are resolved without a nameserver: each is the text of its address.
std::vector<std::string> loopback_names() {
    std::vector<std::string> names;
    for (int last = 1; last <= kNames; ++last) {
        names.push_back("127.0.0." + std::to_string(last));
    }
    return names;
}

bool becomes_readable(int fd, std::chrono::milliseconds patience) {
    pollfd wanted{fd, POLLIN, 0};
    return ::poll(&wanted, 1, static_cast<int>(patience.count())) == 1;
}

}  // namespace

TEST_CASE("host_names: the addresses of a name are found") {
    const HostNames names({"localhost"}, kDeadline);
    CHECK(names.name_of(address("127.0.0.1")) == "localhost");
    CHECK(names.name_of(address("192.0.2.1")).empty());
}

TEST_CASE("host_names: without names there is nothing to look up") {
    const HostNames none({});
    CHECK(none.fd() == -1);
    CHECK(none.name_of(address("127.0.0.1")).empty());
}

TEST_CASE("host_names: answers that come late are announced once") {
    const HostNames names(loopback_names(), std::chrono::milliseconds(0));
    REQUIRE(becomes_readable(names.fd(), kDeadline));
    names.take_news();
    CHECK_FALSE(becomes_readable(names.fd(), std::chrono::milliseconds(0)));
    for (const auto& name : loopback_names()) {
        CHECK(names.name_of(address(name)) == name);
    }
}

TEST_CASE("host_names: an address is asked for while the names are being looked up") {
    const auto last = address("127.0.0." + std::to_string(kNames));
    for (int round = 0; round < 20; ++round) {
        const HostNames names(loopback_names(), std::chrono::milliseconds(0));
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        while (names.name_of(last).empty() && std::chrono::steady_clock::now() < deadline) {
        }
        REQUIRE_FALSE(names.name_of(last).empty());
    }
}

TEST_CASE("host_names: the names are given up while they are being looked up") {
    // A reload gives new names at any time; the thread of the old ones ends by itself.
    std::optional<HostNames> names;
    for (int reload = 0; reload < 100; ++reload) {
        names.emplace(loopback_names(), std::chrono::milliseconds(0));
    }
    REQUIRE(becomes_readable(names->fd(), kDeadline));
    CHECK(names->name_of(address("127.0.0.1")) == "127.0.0.1");
}
