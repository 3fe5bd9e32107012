#include "engine/execd/white_list_files.hpp"

#include <filesystem>

#include "tests/support/recording_log.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::execd;

namespace {

base::IpAddress address(const char* text) { return *base::IpAddress::parse(text); }

}  // namespace

TEST_CASE("white_list_files: a line has an address, a network or a host name") {
    const auto text = read_white_list(
        "\xef\xbb\xbf# the office\r\n"
        "192.0.2.1\r\n"
        "\t198.51.100.0/24  # the branch\n"
        "\n"
        "2001:db8::/48\n"
        "mail.example.org\n"
        "10.1\n"
        "192.0.2.0/255.255.255.0\n"
        "two words\n"
        "\x1b[31mred\n"
        "last",
        "/etc/friends");
    REQUIRE(text.networks.size() == 3);
    CHECK(text.networks[0].first.to_string() == "192.0.2.1/32");
    CHECK(text.networks[0].second == 2);
    CHECK(text.networks[1].first.to_string() == "198.51.100.0/24");
    CHECK(text.networks[2].second == 5);
    CHECK(text.host_names == std::vector<std::string>{"mail.example.org", "last"});
    std::vector<int> lines;
    for (const auto& problem : text.problems.all()) {
        CHECK(problem.place.file == "/etc/friends");
        lines.push_back(problem.place.line);
    }
    CHECK(lines == std::vector<int>{7, 8, 9, 10});
}

TEST_CASE("white_list_files: a change counts, a mistake is reported, a lost file keeps its words") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "friends";
    test::RecordingLog log;
    WhiteListFiles files(log);
    files.set_paths({path});
    files.refresh();
    CHECK(log.count("ERROR: " + path + ": the white list file cannot be read") == 1);
    CHECK(log.count("nobody is protected by it") == 1);
    files.refresh();
    CHECK(log.count("cannot be read") == 1);  // once

    test::overwrite(path, "192.0.2.1\n");
    CHECK(files.refresh());
    CHECK_FALSE(files.refresh());
    CHECK(files.meaning_of(address("192.0.2.1")) == "white_list 192.0.2.1/32 (" + path + ":1)");
    CHECK(files.meaning_of(*base::Cidr::parse("192.0.2.0/24")) != "");
    CHECK(files.meaning_of(address("192.0.2.2")).empty());

    // Replaced, as editors do.
    test::overwrite(path + ".new", "192.0.2.2\nno:address\nhost.example\n");
    std::filesystem::rename(path + ".new", path);
    CHECK(files.refresh());
    CHECK(log.count(path + ":2: error: \"no:address\" is not an address") == 1);
    CHECK(files.meaning_of(address("192.0.2.1")).empty());
    CHECK(files.meaning_of(address("192.0.2.2")) != "");
    CHECK(files.host_names() == std::vector<std::string>{"host.example"});

    std::filesystem::remove(path);
    files.refresh();
    CHECK(log.count("what it said before still counts") == 1);
    CHECK(files.meaning_of(address("192.0.2.2")) != "");

    files.set_paths({});
    CHECK(files.meaning_of(address("192.0.2.2")).empty());
}

TEST_CASE("white_list_files: what is beyond the limit is reported and left out") {
    const test::TemporaryFolder folder;
    std::string many;
    for (int i = 0; i < 10'010; ++i) {
        many += "10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." +
                std::to_string(i % 256) + "\n";
    }
    test::overwrite(folder / "many", many);
    test::overwrite(folder / "huge", std::string((1 << 20) + 1, '#'));
    test::RecordingLog log;
    WhiteListFiles files(log);
    files.set_paths({folder / "many", folder / "huge"});
    files.refresh();
    CHECK(log.count("10 of this file are left out") == 1);
    CHECK(log.count("huge: the white list file cannot be read") == 1);
    CHECK(files.meaning_of(address("10.0.39.15")) != "");
    CHECK(files.meaning_of(address("10.0.39.16")).empty());
}
