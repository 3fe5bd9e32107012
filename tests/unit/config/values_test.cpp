#include "engine/config/values.hpp"

using namespace portcullis;
using respond::ResponseLocation;

TEST_CASE("values: the location of a response is a word anywhere in the text") {
    struct Row {
        const char* text;
        std::optional<ResponseLocation> location;
    };
    const Row rows[] = {
        {"local", ResponseLocation::Local},
        {"LOCAL", ResponseLocation::Local},
        {"AS", ResponseLocation::Server},
        {"server", ResponseLocation::Server},
        {"analysis-server", ResponseLocation::Server},
        {"last", ResponseLocation::Server},  // "as" is in it
        {"local,server", ResponseLocation::Server},
        {"defined-agent", ResponseLocation::DefinedAgent},
        {"all", ResponseLocation::All},
        {"any", ResponseLocation::All},
        {"", std::nullopt},
        {"here", std::nullopt},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        CHECK(config::parse_response_location(row.text) == row.location);
    }
}

TEST_CASE("values: a host name is a possible name in DNS, not a mistake in an address") {
    struct Row {
        const char* text;
        bool is_plausible;
    };
    const Row rows[] = {
        {"localhost", true},   {"a.example.org", true},
        {"my_host-1", true},   {"1and1.com", true},
        {"", false},           {".", false},
        {"a..b", false},       {"a.", false},
        {"-a", false},         {"a b", false},
        {"10.0.0.300", false}, {"10.0.0", false},
        {"10.0.0.0/8", false}, {"a/b", false},
        {"fe80::1", false},    {"a,b", false},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        CHECK(config::is_plausible_host_name(row.text) == row.is_plausible);
    }
    CHECK_FALSE(config::is_plausible_host_name(std::string(64, 'a')));
    std::string long_name = "a";
    while (long_name.size() <= 253) {
        long_name += ".abcdefg";
    }
    CHECK_FALSE(config::is_plausible_host_name(long_name));
}

TEST_CASE("values: a network with ! is everything else of its family") {
    struct Row {
        const char* network;
        const char* inside;
        const char* outside;
    };
    const Row rows[] = {
        {"10.0.0.0/8", "10.1.2.3", "11.0.0.0"},
        {"10.0.0.0/8", "10.255.255.255", "0.0.0.0"},
        {"192.0.2.1", "192.0.2.1", "192.0.2.0"},
        {"192.0.2.77/25", "192.0.2.0", "192.0.2.128"},
        {"2001:db8::/33", "2001:db8::1", "2001:db8:8000::1"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.network);
        base::CidrSet others;
        for (const auto& cidr : config::parse_white_list_networks("!" + std::string(row.network))) {
            others.add(cidr);
        }
        CHECK_FALSE(others.contains(*base::IpAddress::parse(row.inside)));
        CHECK(others.contains(*base::IpAddress::parse(row.outside)));
        CHECK(config::parse_white_list_networks(row.network).size() == 1);
    }
    CHECK(config::parse_white_list_networks("10.0.0.0/255.0.0.0").empty());
    CHECK(config::parse_white_list_networks("!").empty());
}
