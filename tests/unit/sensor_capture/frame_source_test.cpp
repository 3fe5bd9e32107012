#include "sensor/capture/frame_source.hpp"

#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include "base/fd.hpp"
#include "tests/support/frames.hpp"
#include "tests/support/network_namespace.hpp"

using namespace portcullis::sensor_capture;
using namespace portcullis;

namespace {

std::string little(std::uint32_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) {
        text += static_cast<char>((value >> (8 * i)) & 0xff);
    }
    return text;
}

std::string pcap_header(std::uint32_t link) {
    return little(0xa1b2c3d4, 4) + little(2, 2) + little(4, 2) + little(0, 4) + little(0, 4) +
           little(65535, 4) + little(link, 4);
}

std::string pcap_record(std::uint32_t second, std::uint32_t microsecond, const test::Frame& frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    return little(second, 4) + little(microsecond, 4) + little(size, 4) + little(size, 4) +
           std::string(frame.begin(), frame.end());
}

class Kept final : public FrameSink {
  public:
    void on_frame(const Frame& frame) override {
        times.push_back(frame.time);
        interfaces.push_back(frame.interface_index);
        sensor_packet::PacketView view;
        packets.push_back(sensor_packet::parse_frame(frame.link, frame.bytes, view));
    }
    std::vector<base::Timestamp> times;
    std::vector<std::uint32_t> interfaces;
    std::vector<sensor_packet::Packet> packets;
};

// Sends `frame` out of an interface.
void send_out_of(const char* interface, const test::Frame& frame) {
    const base::UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(::if_nametoindex(interface));
    REQUIRE(::sendto(socket.get(), frame.data(), frame.size(), 0,
                     reinterpret_cast<const sockaddr*>(&to),
                     sizeof to) == static_cast<ssize_t>(frame.size()));
}

// A file with `bytes` that is gone with the object.
class TemporaryFile {
  public:
    explicit TemporaryFile(const std::string& bytes)
        : path_(std::filesystem::temp_directory_path() /
                ("frame_source_test." + std::to_string(::getpid()))) {
        REQUIRE(base::write_file_atomically(path_, bytes, 0600));
    }
    ~TemporaryFile() { std::filesystem::remove(path_); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace

TEST_CASE("frame_source: a capture file gives its frames with their times, then its end") {
    const test::Frame syn = test::ipv4("10.0.0.1", "10.0.0.2", 6, test::tcp(1, 22, 2));
    const TemporaryFile file(pcap_header(1) + pcap_record(1700000000, 250000, syn) +
                             pcap_record(1700000001, 0, syn));
    auto source = open_capture_file(file.path());
    REQUIRE(source);
    Kept kept;
    CHECK(*(*source)->read(100, kept) == 2);
    CHECK(*(*source)->read(100, kept) == 0);
    REQUIRE(kept.packets.size() == 2);
    CHECK(kept.times[0].time_since_epoch() ==
          std::chrono::seconds(1700000000) + std::chrono::milliseconds(250));
    CHECK(kept.packets[1].destination_port == 22);
}

TEST_CASE("frame_source: times after 2038 are what the file says, until the end of all times") {
    const test::Frame syn = test::ipv4("10.0.0.1", "10.0.0.2", 6, test::tcp(1, 22, 2));
    const TemporaryFile file(pcap_header(1) + pcap_record(0x80000000, 0, syn) +
                             pcap_record(0xffffffff, 0, syn));
    auto source = open_capture_file(file.path());
    REQUIRE(source);
    Kept kept;
    REQUIRE(*(*source)->read(100, kept) == 2);
    CHECK(kept.times[0] == base::Timestamp(std::chrono::seconds(0x80000000)));
    CHECK(kept.times[1] == base::Timestamp(std::chrono::seconds(3'999'000'000)));
}

TEST_CASE("frame_source: what cannot be read as a capture is refused with the reason") {
    struct Row {
        const char* what;
        std::string bytes;
        const char* code;
    };
    const Row rows[] = {
        {"empty", "", "unreadable-capture"},
        {"no capture", "hello, this is a text file and no capture", "unreadable-capture"},
        {"half a header", pcap_header(1).substr(0, 12), "unreadable-capture"},
        {"foreign link type (IEEE 802.11)", pcap_header(105), "unknown-link-type"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        const TemporaryFile file(row.bytes);
        const auto source = open_capture_file(file.path());
        REQUIRE_FALSE(source);
        CHECK(source.error().code == row.code);
    }
    CHECK(open_capture_file("/does/not/exist").error().code == "unreadable-capture");
}

TEST_CASE("frame_source: a capture that is cut short gives what is whole, then an error") {
    const test::Frame syn = test::ipv4("10.0.0.1", "10.0.0.2", 6, test::tcp(1, 22, 2));
    const std::string record = pcap_record(1700000000, 0, syn);
    const TemporaryFile file(pcap_header(1) + record + record.substr(0, 30));
    auto source = open_capture_file(file.path());
    REQUIRE(source);
    Kept kept;
    const auto count = (*source)->read(100, kept);
    CHECK(kept.packets.size() == 1);
    CHECK((!count || !(*source)->read(100, kept)));
}

TEST_CASE("frame_source: an interface that is not there is refused with the reason") {
    const auto source = open_interface("no-such-if", false);
    REQUIRE_FALSE(source);
    CHECK(source.error().code == "unusable-interface");
}

// A neighbour could otherwise answer its own probes in our name: none of its ports would be closed,
// and every datagram a reply to one of ours.
TEST_CASE("frame_source: what comes in with an address of ours as its source is dropped") {
    if (!test::enter_network_namespace() ||
        std::system("ip link add va type veth peer name vb && ip link set va up && "
                    "ip link set vb up") != 0) {
        WARN("skipped: no network namespace here");
        return;
    }
    const std::string us = "10.9.0.1";
    const std::string us6 = "fd00:9::1";
    const std::string them = "10.9.0.2";
    auto source = open_interface("va", false);
    REQUIRE(source);
    FilterSettings settings;
    settings.ours = {*base::IpAddress::parse(us), *base::IpAddress::parse(us6)};
    REQUIRE((*source)->set_filter(settings));
    send_out_of("vb", test::ipv4(us, them, 17, test::udp(1, 1, 4)));
    send_out_of("vb", test::ipv6(us6, "fd00:9::2", 17, test::udp(1, 2, 4)));
    send_out_of("va", test::ipv4(us, them, 17, test::udp(1, 3, 4)));
    send_out_of("vb", test::ipv4(them, us, 17, test::udp(1, 4, 4)));

    Kept kept;
    std::vector<int> ports;
    for (int round = 0; round < 100 && (ports.empty() || ports.back() != 4); ++round) {
        pollfd ready{(*source)->fd(), POLLIN, 0};
        ::poll(&ready, 1, 100);
        REQUIRE((*source)->read(100, kept));
        ports.clear();
        for (const sensor_packet::Packet& packet : kept.packets) {
            if (packet.transport == sensor_packet::Transport::Udp) {
                ports.push_back(packet.destination_port);
            }
        }
    }
    CHECK(ports == std::vector<int>{3, 4});
    CHECK(kept.interfaces ==
          std::vector<std::uint32_t>(kept.packets.size(), ::if_nametoindex("va")));
}
