#include "base/dns_channel.hpp"

using namespace portcullis::base;

TEST_CASE("dns_channel: the question for an address is its name in the reverse tree") {
    CHECK(ptr_question(*IpAddress::parse("192.0.2.1")) == "1.2.0.192.in-addr.arpa");
    CHECK(ptr_question(*IpAddress::parse("2001:db8::567:89ab")) ==
          "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}
