#include "engine/execd/host_files.hpp"

#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::execd;

namespace {

std::string joined(const std::vector<base::IpAddress>& addresses) {
    std::string text;
    for (const auto& address : addresses) {
        text += (text.empty() ? "" : " ") + address.to_string();
    }
    return text;
}

std::string dhcp_message(std::string_view options) {
    std::string message;
    message.resize(236);
    message.append("\x63\x82\x53\x63");
    message.append(options);
    return message;
}

base::IpAddress address(const char* text) { return *base::IpAddress::parse(text); }

}  // namespace

TEST_CASE("host_files: each format gives its servers, and nothing else") {
    const struct {
        std::vector<base::IpAddress> (*read)(std::string_view);
        std::string text;
        const char* addresses;
    } rows[] = {
        {nameservers_in_resolv_conf,
         "# nameserver 192.0.2.9\nsearch example.org\nnameserver 192.0.2.1\n"
         "\tnameserver\tfe80::1%eth0 # zone\nnameserver 2001:db8::53\r\nnameserver bogus",
         "192.0.2.1 fe80::1 2001:db8::53"},
        {servers_in_dhclient_leases,
         "lease {\n  interface \"eth0\";\n  option routers 192.0.2.254;\n"
         "  option dhcp-server-identifier 192.0.2.2;\n}\n"
         "lease { option dhcp-server-identifier 192.0.2.3; }\n",
         "192.0.2.2"},
        {servers_in_key_value_lease,
         "# This is private data. Do not parse.\nADDRESS=192.0.2.50\nROUTER=192.0.2.254\n"
         "SERVER_ADDRESS=192.0.2.2\nDNS=192.0.2.3 192.0.2.4\nNEXT_SERVER=0.0.0.0\n",
         "192.0.2.254 192.0.2.2 192.0.2.3 192.0.2.4"},
        {servers_in_dhcp_message,
         dhcp_message(std::string("\x35\x01\x05\x00\x36\x04\xc0\x00\x02\x02\xff", 11)),
         "192.0.2.2"},
        {servers_in_dhcp_message, dhcp_message("\x36\x04\xc0"), ""},
        {servers_in_dhcp_message, dhcp_message("\x36"), ""},
        {servers_in_dhcp_message, "short", ""},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        CHECK(joined(row.read(row.text)) == row.addresses);
    }
}

TEST_CASE("host_files: files are found where they stand, and followed when they change") {
    const test::TemporaryFolder root;
    for (const char* folder : {"etc", "run/systemd/resolve", "var/lib/dhcp"}) {
        std::filesystem::create_directories(root / folder);
    }
    test::overwrite(root / "etc/resolv.conf", "nameserver 127.0.0.53\n");
    test::overwrite(root / "run/systemd/resolve/resolv.conf", "nameserver 192.0.2.1\n");
    HostFiles files(root.path());
    CHECK(files.meaning_of(address("192.0.2.1")) ==
          "nameserver (/run/systemd/resolve/resolv.conf)");
    CHECK(files.meaning_of(address("192.0.2.2")).empty());
    CHECK_FALSE(files.refresh());

    test::overwrite(root / "var/lib/dhcp/dhclient.eth0.leases",
                    "lease {\n option dhcp-server-identifier 192.0.2.2;\n}\n");
    CHECK(files.refresh());
    CHECK(files.meaning_of(address("192.0.2.2")) ==
          "DHCP server (/var/lib/dhcp/dhclient.eth0.leases)");

    // A byte order mark belongs to no line.
    test::overwrite(root / "etc/new", "\xef\xbb\xbfnameserver 192.0.2.3\n");
    std::filesystem::rename(root / "etc/new", root / "etc/resolv.conf");
    CHECK(files.refresh());
    CHECK(files.meaning_of(address("192.0.2.3")) == "nameserver (/etc/resolv.conf)");
    CHECK(files.meaning_of(address("127.0.0.53")).empty());

    std::filesystem::remove(root / "etc/resolv.conf");
    CHECK(files.refresh());
    CHECK(files.meaning_of(address("192.0.2.3")).empty());
}
