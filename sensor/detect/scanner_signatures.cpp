#include "sensor/detect/scanner_signatures.hpp"

#include <algorithm>
#include <array>

namespace portcullis::sensor_detect {
namespace {

using sensor_packet::kAck;
using sensor_packet::kFin;
using sensor_packet::kPsh;
using sensor_packet::kSyn;
using sensor_packet::kUrg;

// A field that is the same twice is no pattern yet.
constexpr std::size_t kFewestProbes = 4;
constexpr int kAnyWindow = -1;

// TCP option kinds (IANA).
constexpr std::uint32_t kSegmentSize = 1U << 2;
constexpr std::uint32_t kWindowScale = 1U << 3;
constexpr std::uint32_t kSackPermitted = 1U << 4;

// In the order in which they are tried: the more particular first. nmap sends with a TTL of 37 to
// 59 and keeps port and sequence number during a scan; -sA and -sW send the same packets.
constexpr std::array kSignatures{
    ScannerSignature{"zmap", kSyn, kAnyWindow, OptionShape::Any, 128, 255, Pattern::Any,
                     Pattern::Any, Pattern::Is54321, "zmap"},
    ScannerSignature{"masscan", kSyn, kAnyWindow, OptionShape::Any, 128, 255, Pattern::Any,
                     Pattern::Any, Pattern::HashOfTarget, "masscan"},
    ScannerSignature{"unicornscan", kSyn, kAnyWindow, OptionShape::Any, 1, 255, Pattern::Any,
                     Pattern::PortsXorKey, Pattern::Any, "unicornscan"},
    ScannerSignature{"nmap -sS", kSyn, 1024, OptionShape::SegmentSizeOnly, 1, 255, Pattern::Same,
                     Pattern::Same, Pattern::Any, "nmap_sS"},
    ScannerSignature{"nmap -sF", kFin, 1024, OptionShape::None, 1, 255, Pattern::Same,
                     Pattern::Same, Pattern::Any, "nmap_sF"},
    ScannerSignature{"nmap -sN", 0, 1024, OptionShape::None, 1, 255, Pattern::Same, Pattern::Same,
                     Pattern::Any, "nmap_sN"},
    ScannerSignature{"nmap -sX", kFin | kPsh | kUrg, 1024, OptionShape::None, 1, 255, Pattern::Same,
                     Pattern::Same, Pattern::Any, "nmap_sX"},
    ScannerSignature{"nmap -sA or -sW", kAck, 1024, OptionShape::None, 1, 255, Pattern::Same,
                     Pattern::Zero, Pattern::Any, "nmap_sA"},
    ScannerSignature{"nmap -sM", kFin | kAck, 1024, OptionShape::None, 1, 255, Pattern::Same,
                     Pattern::Zero, Pattern::Any, "nmap_sM"},
    ScannerSignature{"hping3 --scan", kSyn, 512, OptionShape::None, 1, 64, Pattern::Same,
                     Pattern::Changing, Pattern::Any, "hping3_scan"},
    ScannerSignature{"hping3 -S", kSyn, 512, OptionShape::None, 1, 64, Pattern::Ascending,
                     Pattern::Changing, Pattern::Any, "hping3_S"},
    ScannerSignature{"hping3 -F", kFin, 512, OptionShape::None, 1, 64, Pattern::Ascending,
                     Pattern::Changing, Pattern::Any, "hping3_F"},
    ScannerSignature{"hping3 -X", kFin | kPsh | kUrg, 512, OptionShape::None, 1, 64,
                     Pattern::Ascending, Pattern::Changing, Pattern::Any, "hping3_X"},
    ScannerSignature{"hping3 without flags", 0, 512, OptionShape::None, 1, 64, Pattern::Ascending,
                     Pattern::Changing, Pattern::Any, "hping3_null"},
    ScannerSignature{"hping3 -A", kAck, 512, OptionShape::None, 1, 64, Pattern::Ascending,
                     Pattern::Changing, Pattern::Any, "hping3_A"},
    ScannerSignature{"a connect() scanner such as nmap -sT", kSyn, kAnyWindow,
                     OptionShape::OfAStack, 1, 255, Pattern::Changing, Pattern::Changing,
                     Pattern::Any, "nmap_sT"},
};

bool fits(OptionShape shape, std::uint32_t options) {
    constexpr std::uint32_t kOfAStack = kSegmentSize | kWindowScale | kSackPermitted;
    switch (shape) {
        case OptionShape::None:
            return options == 0;
        case OptionShape::SegmentSizeOnly:
            return options == kSegmentSize;
        case OptionShape::OfAStack:
            return (options & kOfAStack) == kOfAStack;
        case OptionShape::Any:
            break;
    }
    return true;
}

std::uint16_t low_half_of_address(const ProbeHeader& probe) {
    const std::uint8_t* bytes = probe.destination.data() + probe.destination.size() - 2;
    return static_cast<std::uint16_t>((bytes[0] << 8) | bytes[1]);
}

// `field` of each probe follows `pattern`; newest first.
template <class Field>
bool follows(Pattern pattern, std::span<const ProbeHeader> probes, Field field) {
    const auto each = [&](auto test) { return std::all_of(probes.begin(), probes.end(), test); };
    const auto each_pair = [&](auto test) {
        for (std::size_t i = 1; i < probes.size(); ++i) {
            if (!test(probes[i - 1], probes[i])) {
                return false;
            }
        }
        return true;
    };
    switch (pattern) {
        case Pattern::Any:
            return true;
        case Pattern::Zero:
            return each([&](const ProbeHeader& probe) { return field(probe) == 0; });
        case Pattern::Same:
            return each([&](const ProbeHeader& probe) { return field(probe) == field(probes[0]); });
        case Pattern::Changing:
            return each_pair([&](const ProbeHeader& newer, const ProbeHeader& older) {
                return field(newer) != field(older);
            });
        case Pattern::Ascending:
            return each_pair([&](const ProbeHeader& newer, const ProbeHeader& older) {
                const auto step = static_cast<std::uint16_t>(field(newer) - field(older));
                return step >= 1 && step <= 16;
            });
        case Pattern::PortsXorKey: {
            const auto key = [&](const ProbeHeader& probe) {
                return field(probe) ^
                       ((std::uint32_t{probe.destination_port} << 16) + probe.source_port);
            };
            return each([&](const ProbeHeader& probe) { return key(probe) == key(probes[0]); });
        }
        case Pattern::Is54321:
            return each([&](const ProbeHeader& probe) { return field(probe) == 54321; });
        case Pattern::HashOfTarget:
            return each([&](const ProbeHeader& probe) {
                return field(probe) ==
                       static_cast<std::uint16_t>(low_half_of_address(probe) ^
                                                  probe.destination_port ^ probe.sequence);
            });
    }
    return false;
}

bool fits(const ScannerSignature& row, std::span<const ProbeHeader> probes) {
    const bool fits_each = std::all_of(probes.begin(), probes.end(), [&](const ProbeHeader& probe) {
        return probe.flags == row.flags &&
               (row.window == kAnyWindow || probe.window == row.window) &&
               fits(row.options, probe.options) && probe.ttl >= row.lowest_ttl &&
               probe.ttl <= row.highest_ttl;
    });
    if (!fits_each) {
        return false;
    }
    if (row.ip_id != Pattern::Any && !probes[0].source.is_v4()) {
        return false;
    }
    return follows(row.source_port, probes, [](const auto& probe) { return probe.source_port; }) &&
           follows(row.sequence, probes, [](const auto& probe) { return probe.sequence; }) &&
           follows(row.ip_id, probes, [](const auto& probe) { return probe.ip_id; });
}

}  // namespace

std::span<const ScannerSignature> scanner_signatures() { return kSignatures; }

const ScannerSignature* find_scanner(std::span<const ProbeHeader> probes) {
    if (probes.size() < kFewestProbes) {
        return nullptr;
    }
    const auto* const found =
        std::find_if(kSignatures.begin(), kSignatures.end(),
                     [&](const ScannerSignature& row) { return fits(row, probes); });
    return found == kSignatures.end() ? nullptr : &*found;
}

}  // namespace portcullis::sensor_detect
