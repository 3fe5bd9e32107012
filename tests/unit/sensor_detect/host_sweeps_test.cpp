// Sweeps: one source, the same question to many hosts of the watched networks.
#include "tests/support/detect_wire.hpp"

using namespace portcullis::sensor_detect;
using namespace portcullis::sensor_packet;
using portcullis::base::IpAddress;
using portcullis::test::Wire;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using Texts = std::vector<std::string>;

// A host is remembered by 16 bits of a hash with a random key, so two hosts may be taken for one.
// With two hosts more than the threshold a test does not depend on the key.
constexpr int kHosts = 12;

enum class Networks { Watched, NotWatched };

TrackerSettings settings_for(Networks networks) {
    TrackerSettings settings;
    settings.watches_networks = networks == Networks::Watched;
    return settings;
}

class HostWire : public Wire {
  public:
    explicit HostWire(Networks networks = Networks::Watched) : Wire(settings_for(networks)) {}

    // Our host of that number is the target of the next packets.
    void address(int host) { us = fmt::format("10.10.150.{}", host + 10); }
    void request_link_address(int host) {
        tracker.on_address_request(*IpAddress::parse(them),
                                   *IpAddress::parse(fmt::format("10.10.150.{}", host + 10)), now);
    }
    void refused_syn(int host) {
        address(host);
        raw_syn(40000, 22);
        refuse(40000, 22);
    }
};

}  // namespace

TEST_CASE("host_sweeps: from ten hosts on it is a sweep, where networks are watched") {
    for (const Networks networks : {Networks::Watched, Networks::NotWatched}) {
        HostWire wire(networks);
        for (int host = 1; host <= 9; ++host) {
            wire.refused_syn(host);
        }
        wire.refused_syn(9);  // again: no other host
        CHECK(wire.scans().empty());
        for (int host = 10; host <= kHosts; ++host) {
            wire.refused_syn(host);
        }
        CHECK(wire.scans() ==
              (networks == Networks::Watched ? Texts{"TCP: sweep scan detected"} : Texts{}));
    }
}

TEST_CASE("host_sweeps: a sweep that is switched off is not reported") {
    TrackerSettings settings = settings_for(Networks::Watched);
    settings.of(ScanKind::EchoSweep).is_enabled = false;
    Wire wire(settings);
    for (int host = 1; host <= 20; ++host) {
        wire.us = fmt::format("10.10.150.{}", host + 10);
        wire.ping();
    }
    CHECK(wire.scans().empty());
}

TEST_CASE("host_sweeps: forgotten connections to many hosts have different source ports") {
    for (const int step : {0, 1}) {
        CAPTURE(step);
        HostWire wire;
        for (int host = 1; host <= 20; ++host) {
            const auto from = static_cast<std::uint16_t>(40000 + step * host);
            wire.address(host);
            wire.tcp(kAck, from, 22);
            wire.answer_tcp(kRst, from, 22);
        }
        CHECK(wire.scans() == (step == 0 ? Texts{"TCP: sweep scan detected"} : Texts{}));
    }
}

TEST_CASE("host_sweeps: ten hosts within a day are a slow sweep, unless they answer") {
    enum class Answer { None, Reply };
    for (const Answer answer : {Answer::None, Answer::Reply}) {
        HostWire wire;
        for (int host = 1; host <= kHosts; ++host) {
            CHECK((host >= 10 || wire.scans().empty()));
            wire.address(host);
            wire.ping();
            if (answer == Answer::Reply) {
                wire.answer_ping();
            }
            wire.pass(seconds(70));
        }
        CHECK(wire.scans() ==
              (answer == Answer::None ? Texts{"ICMP: slow sweep over hosts detected"} : Texts{}));
    }
}

TEST_CASE("host_sweeps: hosts of a reported sweep are not a slow sweep as well") {
    HostWire wire;
    for (int host = 1; host <= kHosts; ++host) {
        wire.refused_syn(host);
    }
    for (int host = kHosts + 1; host <= 30; ++host) {
        wire.pass(seconds(40));
        wire.refused_syn(host);
    }
    CHECK(wire.scans().front() == "TCP: sweep scan detected");
    for (const std::string& text : wire.scans()) {
        CHECK(text.starts_with("TCP: sweep scan"));
    }
}

TEST_CASE("host_sweeps: a repeated request for a link address is a ping that its host cannot get") {
    for (const int requests : {1, 2}) {
        CAPTURE(requests);
        HostWire wire;
        for (int host = 1; host <= kHosts; ++host) {
            for (int i = 0; i < requests; ++i) {
                wire.request_link_address(host);
                wire.pass(milliseconds(10));
            }
        }
        CHECK(wire.scans() == (requests == 1 ? Texts{} : Texts{"ICMP: sweep over hosts detected"}));
    }
}

TEST_CASE("host_sweeps: a single request counts for a source that sweeps already") {
    HostWire wire;
    for (int host = 1; host <= 5; ++host) {
        wire.address(host);
        wire.ping();
    }
    for (int host = 6; host <= 9; ++host) {
        wire.request_link_address(host);
    }
    CHECK(wire.scans().empty());
    for (int host = 10; host <= kHosts; ++host) {
        wire.request_link_address(host);
    }
    CHECK(wire.scans() == Texts{"ICMP: sweep over hosts detected"});
}
