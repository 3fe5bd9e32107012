#include "sensor/detect/scanner_signatures.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "sensor/capture/frame_source.hpp"

using namespace portcullis::sensor_detect;
using namespace portcullis::sensor_capture;
using namespace portcullis::sensor_packet;
using portcullis::base::IpAddress;

namespace {

const std::string kFolder = std::string(PORTCULLIS_SOURCE_DIR) + "/tests/golden/sensor/scanners/";

std::string_view label_of(std::span<const ProbeHeader> probes) {
    const ScannerSignature* found = find_scanner(probes);
    return found == nullptr ? std::string_view("-") : found->name;
}

// The probes of one capture.
class Probes : public FrameSink {
  public:
    explicit Probes(const std::string& capture) {
        auto source = open_capture_file(kFolder + capture + ".pcap");
        REQUIRE(source);
        while (*(*source)->read(64, *this) > 0) {
        }
    }
    void on_frame(const portcullis::sensor_capture::Frame& frame) override {
        PacketView view;
        const auto packet = parse_frame(frame.link, frame.bytes, view);
        const bool is_ours = packet.destination == *IpAddress::parse("10.9.0.2") ||
                             packet.destination == *IpAddress::parse("fd00:9::2");
        // As in the tracker, a RST (masscan sends them) is not a probe.
        if (is_ours && (packet.tcp_flags & kRst) == 0) {
            history.record(packet);
            them_ = packet.source;
            us_ = packet.destination;
        }
    }
    std::span<const ProbeHeader> last() { return history.last(them_, us_); }

    ProbeHistory history;

  private:
    IpAddress them_;
    IpAddress us_;
};

std::map<std::string, std::string> expected_labels() {
    std::map<std::string, std::string> labels;
    std::ifstream file(kFolder + "labels.tsv");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with('#')) {
            const std::size_t tab = line.find('\t');
            REQUIRE(tab != std::string::npos);
            labels[line.substr(0, tab)] = line.substr(tab + 1);
        }
    }
    return labels;
}

// Numbers without any pattern, the same in each run.
std::uint32_t noise(std::uint32_t i) { return ((i + 1) * 2654435761U) ^ 0x5bd1e995U; }

using Craft = std::function<void(ProbeHeader&, std::uint32_t)>;

// The last probes of a scan of the ports from 1 on, newest first; `write` gets each header with the
// number of the probe.
std::vector<ProbeHeader> craft(const Craft& write) {
    std::vector<ProbeHeader> probes;
    for (std::uint32_t i = ProbeHistory::kMost; i-- > 0;) {
        ProbeHeader probe;
        probe.source = *IpAddress::parse("198.51.100.7");
        probe.destination = *IpAddress::parse("192.0.2.1");
        probe.destination_port = static_cast<std::uint16_t>(i + 1);
        probe.source_port = 40000;
        probe.flags = kSyn;
        probe.ttl = 50;
        probe.window = 1024;
        probe.ip_id = static_cast<std::uint16_t>(noise(i + 100));
        write(probe, i);
        probes.push_back(probe);
    }
    return probes;
}

constexpr std::uint32_t kMss = 1U << 2;
constexpr std::uint32_t kWindowsOptions = 1U << 1 | kMss | 1U << 3 | 1U << 4;
constexpr std::uint32_t kLinuxOptions = kWindowsOptions | 1U << 8;

void nmap_syn(ProbeHeader& probe, std::uint32_t /*number*/) {
    probe.options = kMss;
    probe.sequence = 0x4b203358;
}

void retry(ProbeHeader& probe, std::uint32_t number) {
    probe.source_port = static_cast<std::uint16_t>(probe.source_port + number);
    probe.sequence ^= number << 16 | number;
}

void zmap_4(ProbeHeader& probe, std::uint32_t number) {
    probe.window = 65535;
    probe.options = kWindowsOptions;
    probe.source_port = static_cast<std::uint16_t>(32768 + noise(number) % 28000);
    probe.sequence = noise(number + 50);
}

void zmap_4_1_0(ProbeHeader& probe, std::uint32_t number) {
    zmap_4(probe, number);
    probe.ttl = 240;
    probe.options = kLinuxOptions;
}

void hping3_syn(ProbeHeader& probe, std::uint32_t number) {
    probe.window = 512;
    probe.source_port = static_cast<std::uint16_t>(2000 + number);
    probe.sequence = noise(number) >> 1;
    probe.acknowledgement = noise(number + 20) >> 1;
}

void masscan(ProbeHeader& probe, std::uint32_t number) {
    probe.sequence = noise(number);
    probe.ip_id = static_cast<std::uint16_t>(0x0201 ^ probe.destination_port ^ probe.sequence);
}

void connect_scan(ProbeHeader& probe, std::uint32_t number) {
    probe.window = 64240;
    probe.options = kLinuxOptions;
    probe.dont_fragment = true;
    probe.source_port = static_cast<std::uint16_t>(40000 + 2 * number);
    probe.sequence = noise(number);
}

struct Crafted {
    const char* what;
    std::string_view label;
    Craft craft;
};

// `base` with a change.
Craft but(const Craft& base, const Craft& change) {
    return [=](ProbeHeader& probe, std::uint32_t number) {
        base(probe, number);
        change(probe, number);
    };
}

const std::vector<Crafted>& crafted() {
    static const std::vector<Crafted> kRows{
        {"old nmap: windows of 1024 to 4096, mixed", "nmap -sS",
         but(nmap_syn,
             [](auto& probe, auto i) {
                 probe.window = static_cast<std::uint16_t>(1024 * (1 + i % 4));
             })},
        {"a window that nmap never had", "-",
         but(nmap_syn, [](auto& probe, auto i) { probe.window = i == 3 ? 5120 : 1024; })},
        {"window 0", "-",
         but(nmap_syn, [](auto& probe, auto i) { probe.window = i == 3 ? 0 : 1024; })},
        {"nmap: tries of two ports, mixed", "nmap -sS",
         but(nmap_syn, [](auto& probe, auto i) { retry(probe, i % 3); })},
        {"nmap -g: tries from one port", "nmap -sS",
         but(nmap_syn,
             [](auto& probe, auto i) {
                 retry(probe, i % 3);
                 probe.source_port = 53;
             })},
        {"nmap's timing probe among the others", "nmap -sS",
         but(nmap_syn,
             [](auto& probe, auto i) {
                 retry(probe, i == 2 ? 0x0b00 : 0);
                 probe.source_port = i == 2 ? 40022 : 40000;
             })},
        {"one number from several ports", "-",
         but(nmap_syn, [](auto& probe,
                          auto i) { probe.source_port = static_cast<std::uint16_t>(40000 + i); })},
        {"tries whose halves differ", "-",
         but(nmap_syn,
             [](auto& probe, auto i) {
                 probe.sequence += i % 2;
                 probe.source_port = static_cast<std::uint16_t>(40000 + i % 2);
             })},
        {"tries from ports far apart", "-",
         but(nmap_syn,
             [](auto& probe, auto i) {
                 retry(probe, i % 2);
                 probe.source_port = static_cast<std::uint16_t>(40000 + i % 2 * 5000);
             })},
        {"a constant sequence number of zero", "-",
         but(nmap_syn, [](auto& probe, auto /*i*/) { probe.sequence = 0; })},
        {"something acknowledged by a SYN", "-",
         but(nmap_syn, [](auto& probe, auto /*i*/) { probe.acknowledgement = 7; })},
        {"a SYN without MSS", "-",
         but(nmap_syn, [](auto& probe, auto /*i*/) { probe.options = 0; })},
        {"naabu: sequence numbers that count", "-",
         but(nmap_syn,
             [](auto& probe, auto i) {
                 probe.ttl = 250;
                 probe.ip_id = 0;
                 probe.sequence += i;
             })},
        {"scapy's defaults: port 20, sequence number 0, window 8192, no options", "-",
         [](auto& probe, auto /*i*/) {
             probe.source_port = 20;
             probe.window = 8192;
         }},
        {"half nmap, half hping3", "-",
         [](auto& probe, auto i) { i % 2 == 0 ? nmap_syn(probe, i) : hping3_syn(probe, i); }},
        {"half nmap, half masscan", "-",
         [](auto& probe, auto i) { i % 2 == 0 ? nmap_syn(probe, i) : masscan(probe, i); }},

        {"masscan", "masscan", masscan},
        {"masscan --ttl 64", "masscan",
         but(masscan, [](auto& probe, auto /*i*/) { probe.ttl = 64; })},
        {"masscan since 1.3.9: an MSS, window 1025", "masscan",
         but(masscan,
             [](auto& probe, auto /*i*/) {
                 probe.options = kMss;
                 probe.window = 1025;
             })},
        {"a wrong hash", "-",
         but(masscan, [](auto& probe, auto i) { probe.ip_id ^= i == 5 ? 1 : 0; })},
        {"the same over IPv6", "-",
         but(masscan,
             [](auto& probe, auto /*i*/) {
                 probe.source = *IpAddress::parse("2001:db8::7");
                 probe.destination = *IpAddress::parse("2001:db8::201");
             })},

        {"zmap 2", "zmap",
         but(zmap_4,
             [](auto& probe, auto /*i*/) {
                 probe.options = 0;
                 probe.ip_id = 54321;
             })},
        {"zmap 3: an MSS, another TTL", "zmap",
         but(zmap_4,
             [](auto& probe, auto /*i*/) {
                 probe.options = kMss;
                 probe.ttl = 50;
                 probe.ip_id = 54321;
             })},
        {"one IP id that is not zmap's, no options", "-",
         but(zmap_4,
             [](auto& probe, auto i) {
                 probe.options = 0;
                 probe.ip_id = i == 0 ? 54322 : 54321;
             })},
        {"54321 with another window", "-",
         but(zmap_4,
             [](auto& probe, auto /*i*/) {
                 probe.ip_id = 54321;
                 probe.window = 1024;
             })},
        {"zmap since 4.1.1: TTL 64, --probe-args=windows", "zmap 4", zmap_4},
        {"zmap since 4.1.1 --probe-args=linux or bsd: so do macOS and Linux behind some firewalls",
         "-", but(zmap_4, [](auto& probe, auto /*i*/) { probe.options = kLinuxOptions; })},
        {"zmap since 4.1.1 --probe-args=smallest-probes: a mark of many tools", "-",
         but(zmap_4, [](auto& probe, auto /*i*/) { probe.options = kMss; })},
        {"Windows behind a firewall that clears DF and scatters ports and IP ids", "-",
         but(zmap_4, [](auto& probe, auto /*i*/) { probe.ttl = 120; })},
        {"the headers of zmap 4 with DF: a connect() scan", "a connect() scanner such as nmap -sT",
         but(zmap_4, [](auto& probe, auto /*i*/) { probe.dont_fragment = true; })},
        {"the headers of zmap 4 with IP ids that count", "-",
         but(zmap_4, [](auto& probe, auto i) { probe.ip_id = static_cast<std::uint16_t>(i); })},
        {"the headers of zmap 4 with ports in order", "-",
         but(zmap_4, [](auto& probe,
                        auto i) { probe.source_port = static_cast<std::uint16_t>(49152 + i); })},
        {"the headers of zmap 4 with another window", "-",
         but(zmap_4, [](auto& probe, auto /*i*/) { probe.window = 64240; })},
        {"zmap 4.1.0: TTL 255, --probe-args=linux", "zmap 4", zmap_4_1_0},
        {"zmap 4.1.0 --probe-args=windows", "zmap 4",
         but(zmap_4_1_0, [](auto& probe, auto /*i*/) { probe.options = kWindowsOptions; })},
        {"zmap 4 --probe-args=smallest-probes --probe-ttl=255", "zmap 4",
         but(zmap_4_1_0, [](auto& probe, auto /*i*/) { probe.options = kMss; })},
        {"a small stack with a TTL of 255: ports in order", "-",
         but(zmap_4_1_0,
             [](auto& probe, auto i) {
                 probe.source_port = static_cast<std::uint16_t>(49152 + i);
             })},
        {"the same over IPv6", "-",
         but(zmap_4_1_0,
             [](auto& probe, auto /*i*/) {
                 probe.options = kMss;
                 probe.source = *IpAddress::parse("2001:db8::7");
             })},

        {"hping3 -S", "hping3 -S", hping3_syn},
        {"hping3 -S --ttl 128", "hping3 -S",
         but(hping3_syn, [](auto& probe, auto /*i*/) { probe.ttl = 120; })},
        {"hping3 -S -s 53 -k", "hping3 -S -k or --scan",
         but(hping3_syn, [](auto& probe, auto /*i*/) { probe.source_port = 53; })},
        {"hping3, some probes lost", "hping3 -S",
         but(hping3_syn,
             [](auto& probe, auto i) {
                 probe.source_port = static_cast<std::uint16_t>(2000 + 3 * i);
             })},
        {"hping3 -X: ECE", "hping3 -X",
         but(hping3_syn, [](auto& probe, auto /*i*/) { probe.flags = kEce; })},
        {"hping3 -S -X", "hping3",
         but(hping3_syn, [](auto& probe, auto /*i*/) { probe.flags = kSyn | kEce; })},
        {"another window", "-",
         but(hping3_syn, [](auto& probe, auto /*i*/) { probe.window = 1024; })},
        {"nothing acknowledged", "-",
         but(hping3_syn, [](auto& probe, auto /*i*/) { probe.acknowledgement = 0; })},
        {"numbers of 32 bits", "-",
         but(hping3_syn, [](auto& probe, auto i) { probe.sequence |= i == 4 ? 1U << 31 : 0; })},
        {"ports without order", "-",
         but(hping3_syn, [](auto& probe,
                            auto i) { probe.source_port = static_cast<std::uint16_t>(noise(i)); })},

        {"a connect() scan", "a connect() scanner such as nmap -sT", connect_scan},
        {"a connect() scan with ECN", "a connect() scanner such as nmap -sT",
         but(connect_scan, [](auto& probe, auto /*i*/) { probe.flags = kSyn | kEce | kCwr; })},
        {"the options of a stack without DF", "-",
         but(connect_scan, [](auto& probe, auto /*i*/) { probe.dont_fragment = false; })},
        {"the options of a stack from one port", "-",
         but(connect_scan, [](auto& probe, auto /*i*/) { probe.source_port = 40000; })},
        {"SYN+FIN with the options of a stack", "-",
         but(connect_scan, [](auto& probe, auto /*i*/) { probe.flags = kSyn | kFin; })},
    };
    return kRows;
}

}  // namespace

TEST_CASE("scanner_signatures: each row recognises its own capture") {
    std::set<std::string_view> captures;
    for (const ScannerSignature& row : scanner_signatures()) {
        CAPTURE(row.name);
        CHECK(label_of(Probes(std::string(row.capture)).last()) == row.name);
        CHECK(captures.insert(row.capture).second);
    }
}

TEST_CASE("scanner_signatures: each capture gets the label of labels.tsv") {
    auto labels = expected_labels();
    for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
        if (entry.path().extension() != ".pcap") {
            continue;
        }
        const std::string capture = entry.path().stem();
        CAPTURE(capture);
        REQUIRE(labels.count(capture) == 1);
        Probes probes(capture);
        CHECK(probes.last().size() == ProbeHistory::kMost);
        CHECK(label_of(probes.last()) == labels[capture]);
        labels.erase(capture);
    }
    CHECK(labels.empty());
}

TEST_CASE("scanner_signatures: made-up headers get the label of their tool or none") {
    for (const Crafted& row : crafted()) {
        CAPTURE(row.what);
        CHECK(label_of(craft(row.craft)) == row.label);
    }
}

TEST_CASE("scanner_signatures: each scan of nmap, in the headers of older and current versions") {
    const std::map<std::uint8_t, std::string_view> kScans{
        {kSyn, "nmap -sS"},
        {kFin, "nmap -sF"},
        {0, "nmap -sN"},
        {kFin | kPsh | kUrg, "nmap -sX"},
        {kAck, "nmap -sA or -sW"},
        {kFin | kAck, "nmap -sM"},
        {kSyn | kFin, "nmap --scanflags"},
        {kUrg, "nmap --scanflags"},
        {kSyn | kAck, "nmap --scanflags"},
        {kEce, "nmap --scanflags"},
    };
    for (const auto& [flags, label] : kScans) {
        CAPTURE(label, int{flags});
        const auto old = [flags = flags](ProbeHeader& probe, std::uint32_t i) {
            probe.flags = flags;
            probe.options = (flags & kSyn) != 0 ? kMss : 0;
            probe.window = static_cast<std::uint16_t>(1024 * (1 + i * 3 % 4));
            probe.sequence = 0xaa033661;
            retry(probe, i % 2);
            probe.acknowledgement = (flags & kAck) != 0 ? noise(i) : 0;
        };
        CHECK(label_of(craft(old)) == label);
        if ((flags & kAck) != 0) {
            const auto current = but(old, [flags = flags](ProbeHeader& probe, std::uint32_t i) {
                probe.window = 1024;
                probe.acknowledgement = probe.sequence;
                probe.sequence = (flags & kSyn) != 0 ? noise(i) : 0;
            });
            CHECK(label_of(craft(current)) == label);
            CHECK(label_of(craft(but(current, [](ProbeHeader& probe, std::uint32_t i) {
                      probe.acknowledgement = noise(i);
                  }))) == "-");
        }
        // A connection that a middlebox cut off has numbers of its own in each segment.
        CHECK(label_of(craft(but(old, [](ProbeHeader& probe, std::uint32_t i) {
                  probe.sequence = noise(i);
                  probe.acknowledgement = noise(i + 9);
              }))) == "-");
    }
}

TEST_CASE("scanner_signatures: too few probes get no label") {
    const std::vector<ProbeHeader> last = craft(nmap_syn);
    CHECK(label_of({last.data(), 3}) == "-");
    CHECK(label_of({last.data(), 4}) == "nmap -sS");
}

TEST_CASE("probe_history: keeps the last probes of two hosts apart from others") {
    ProbeHistory history;
    Packet packet;
    packet.destination = *IpAddress::parse("10.0.0.2");
    for (std::uint16_t port = 1; port <= 20; ++port) {
        packet.source = *IpAddress::parse("10.0.0.1");
        packet.destination_port = port;
        packet.tcp_flags = kSyn;
        history.record(packet);
        history.record(packet);  // sent again
        packet.source = *IpAddress::parse("10.0.0.9");
        history.record(packet);
    }
    const auto last = history.last(*IpAddress::parse("10.0.0.1"), packet.destination);
    REQUIRE(last.size() == ProbeHistory::kMost);
    for (std::size_t i = 0; i < last.size(); ++i) {
        CHECK(last[i].destination_port == 20 - i);
    }
    // The flags of the latest probe decide which others belong to it; ECE and CWR are flags.
    packet.source = *IpAddress::parse("10.0.0.1");
    for (const std::uint8_t flags : {kFin, static_cast<std::uint8_t>(kFin | kEce)}) {
        packet.tcp_flags = flags;
        ++packet.destination_port;
        history.record(packet);
        const auto alone = history.last(packet.source, packet.destination);
        REQUIRE(alone.size() == 1);
        CHECK(alone[0].flags == flags);
    }
    // What is older than the ring is forgotten.
    packet.source = *IpAddress::parse("10.0.0.9");
    for (std::size_t i = 0; i < ProbeHistory::kCapacity; ++i) {
        history.record(packet);
    }
    CHECK(history.last(*IpAddress::parse("10.0.0.1"), packet.destination).empty());
}
