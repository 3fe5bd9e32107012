#include "sensor/detect/scanner_signatures.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace portcullis::sensor_detect {
namespace {

using sensor_packet::kAck;
using sensor_packet::kCwr;
using sensor_packet::kEce;
using sensor_packet::kFin;
using sensor_packet::kPsh;
using sensor_packet::kSyn;
using sensor_packet::kUrg;

// Fewer probes can agree by chance.
constexpr std::size_t kFewestProbes = 4;

constexpr std::uint8_t kAllFlags = 0xff;
constexpr std::uint8_t kNoFlags = 0;
// A host with ECN turned on sets both bits in the SYN of every connect() (RFC 3168 section 6.1.1).
constexpr std::uint8_t kAllButEcn = kAllFlags & ~(kEce | kCwr);

// TCP option kinds (IANA).
constexpr std::uint32_t kNoOperation = 1U << 1;
constexpr std::uint32_t kSegmentSize = 1U << 2;
constexpr std::uint32_t kWindowScale = 1U << 3;
constexpr std::uint32_t kSackPermitted = 1U << 4;

// nmap counts tries and timing probes in a byte each and adds both to the source port.
constexpr int kMostPortsOfTries = 512;
constexpr std::uint16_t kMostLost = 16;

// nmap sends all probes of a try from one port with one number; -sA and -sW send the same packets.
constexpr ScannerSignature nmap(std::string_view name, std::uint8_t flags,
                                std::uint8_t flags_compared, std::string_view capture) {
    return {name,
            flags,
            flags_compared,
            WindowMark::OneToFourKib,
            OptionMark::SegmentSizeWithSyn,
            DontFragmentMark::Any,
            TtlMark::Any,
            SourcePortMark::Any,
            NumberMark::Tries,
            IpIdMark::Any,
            capture};
}

constexpr ScannerSignature hping3(std::string_view name, std::uint8_t flags,
                                  std::uint8_t flags_compared, SourcePortMark source_port,
                                  std::string_view capture) {
    return {name,
            flags,
            flags_compared,
            WindowMark::Is512,
            OptionMark::None,
            DontFragmentMark::Any,
            TtlMark::Any,
            source_port,
            NumberMark::Random31,
            IpIdMark::Any,
            capture};
}

constexpr ScannerSignature hping3(std::string_view name, std::uint8_t flags,
                                  std::string_view capture) {
    return hping3(name, flags, kAllFlags, SourcePortMark::Ascending, capture);
}

// In the order in which they are tried: the more particular first.
constexpr std::array kSignatures{
    ScannerSignature{"zmap", kSyn, kAllFlags, WindowMark::Is65535, OptionMark::Any,
                     DontFragmentMark::Clear, TtlMark::Any, SourcePortMark::Any,
                     NumberMark::FreshSequence, IpIdMark::Is54321, "zmap"},
    // The hash says enough: TTL, window and options differ with version and command line.
    ScannerSignature{"masscan", kSyn, kAllFlags, WindowMark::Any, OptionMark::Any,
                     DontFragmentMark::Any, TtlMark::Any, SourcePortMark::Any,
                     NumberMark::FreshSequence, IpIdMark::HashOfTarget, "masscan"},
    // Since 4.1 the IP id is random, and the user chooses the system whose options are sent. All of
    // these systems set DF, but a firewall may clear it and scatter ports and IP ids. The TTL
    // remains: 4.1.1 and later send 64 with the options of Windows, which itself sends 128; 4.1.0
    // sends 255.
    ScannerSignature{"zmap 4", kSyn, kAllFlags, WindowMark::Is65535, OptionMark::OfWindows,
                     DontFragmentMark::Clear, TtlMark::AtMost64, SourcePortMark::Scattered,
                     NumberMark::FreshSequence, IpIdMark::Scattered, "zmap_4"},
    ScannerSignature{"zmap 4", kSyn, kAllFlags, WindowMark::Is65535, OptionMark::SegmentSizeOrStack,
                     DontFragmentMark::Clear, TtlMark::Above128, SourcePortMark::Scattered,
                     NumberMark::FreshSequence, IpIdMark::Scattered, "zmap_4_1_0"},
    ScannerSignature{"unicornscan", kSyn, kAllFlags, WindowMark::Any, OptionMark::Any,
                     DontFragmentMark::Any, TtlMark::Any, SourcePortMark::Any,
                     NumberMark::PortsXorKey, IpIdMark::Any, "unicornscan"},
    nmap("nmap -sS", kSyn, kAllFlags, "nmap_sS"),
    nmap("nmap -sF", kFin, kAllFlags, "nmap_sF"),
    nmap("nmap -sN", 0, kAllFlags, "nmap_sN"),
    nmap("nmap -sX", kFin | kPsh | kUrg, kAllFlags, "nmap_sX"),
    nmap("nmap -sA or -sW", kAck, kAllFlags, "nmap_sA"),
    nmap("nmap -sM", kFin | kAck, kAllFlags, "nmap_sM"),
    nmap("nmap --scanflags", 0, kNoFlags, "nmap_scanflags"),
    hping3("hping3 -S", kSyn, "hping3_S"),
    // --scan keeps its source port as -k does, and -s sets that of both.
    hping3("hping3 -S -k or --scan", kSyn, kAllFlags, SourcePortMark::Same, "hping3_scan"),
    hping3("hping3 -F", kFin, "hping3_F"),
    hping3("hping3 -A", kAck, "hping3_A"),
    hping3("hping3 -P", kPsh, "hping3_P"),
    hping3("hping3 -U", kUrg, "hping3_U"),
    hping3("hping3 -X", kEce, "hping3_X"),
    hping3("hping3 -Y", kCwr, "hping3_Y"),
    hping3("hping3 -FA", kFin | kAck, "hping3_FA"),
    hping3("hping3 -SA", kSyn | kAck, "hping3_SA"),
    hping3("hping3 -SF", kSyn | kFin, "hping3_SF"),
    hping3("hping3 -FPU", kFin | kPsh | kUrg, "hping3_FPU"),
    hping3("hping3 without flags", 0, "hping3_null"),
    hping3("hping3", 0, kNoFlags, SourcePortMark::SameOrAscending, "hping3_other_flags"),
    ScannerSignature{"a connect() scanner such as nmap -sT", kSyn, kAllButEcn, WindowMark::Any,
                     OptionMark::OfAStack, DontFragmentMark::Set, TtlMark::Any,
                     SourcePortMark::Changing, NumberMark::FreshSequence, IpIdMark::Any, "nmap_sT"},
};

using Probes = std::span<const ProbeHeader>;

template <class Test>
bool each(Probes probes, Test test) {
    return std::all_of(probes.begin(), probes.end(), test);
}

// `test` gets each probe and the one before it.
template <class Test>
bool each_pair(Probes probes, Test test) {
    for (std::size_t i = 1; i < probes.size(); ++i) {
        if (!test(probes[i - 1], probes[i])) {
            return false;
        }
    }
    return true;
}

bool fits(WindowMark mark, std::uint16_t window) {
    switch (mark) {
        case WindowMark::Any:
            break;
        case WindowMark::Is512:
            return window == 512;
        case WindowMark::Is65535:
            return window == 65535;
        case WindowMark::OneToFourKib:
            return window % 1024 == 0 && window >= 1024 && window <= 4096;
    }
    return true;
}

bool fits(OptionMark mark, const ProbeHeader& probe) {
    constexpr std::uint32_t kOfAStack = kSegmentSize | kWindowScale | kSackPermitted;
    const bool is_of_a_stack = (probe.options & kOfAStack) == kOfAStack;
    switch (mark) {
        case OptionMark::Any:
            break;
        case OptionMark::None:
            return probe.options == 0;
        case OptionMark::SegmentSizeWithSyn:
            return probe.options == ((probe.flags & kSyn) != 0 ? kSegmentSize : 0);
        case OptionMark::OfAStack:
            return is_of_a_stack;
        case OptionMark::SegmentSizeOrStack:
            return is_of_a_stack || probe.options == kSegmentSize;
        case OptionMark::OfWindows:
            return probe.options == (kOfAStack | kNoOperation);
    }
    return true;
}

bool fits(DontFragmentMark mark, const ProbeHeader& probe) {
    const bool is_set = probe.dont_fragment || !probe.source.is_v4();
    return mark == DontFragmentMark::Any || is_set == (mark == DontFragmentMark::Set);
}

bool fits(TtlMark mark, std::uint8_t ttl) {
    switch (mark) {
        case TtlMark::Any:
            break;
        case TtlMark::AtMost64:
            return ttl <= 64;
        case TtlMark::Above128:
            return ttl > 128;
    }
    return true;
}

bool are_far_apart(std::uint16_t one, std::uint16_t other) {
    return std::abs(one - other) > kMostLost;
}

bool is_same_port(const ProbeHeader& newer, const ProbeHeader& older) {
    return newer.source_port == older.source_port;
}

bool is_next_port(const ProbeHeader& newer, const ProbeHeader& older) {
    const auto step = static_cast<std::uint16_t>(newer.source_port - older.source_port);
    return step >= 1 && step <= kMostLost;
}

bool fits(SourcePortMark mark, Probes probes) {
    switch (mark) {
        case SourcePortMark::Any:
            break;
        case SourcePortMark::Same:
            return each_pair(probes, is_same_port);
        case SourcePortMark::Ascending:
            return each_pair(probes, is_next_port);
        case SourcePortMark::SameOrAscending:
            return each_pair(probes, is_same_port) || each_pair(probes, is_next_port);
        case SourcePortMark::Changing:
            return each_pair(probes, [](const ProbeHeader& newer, const ProbeHeader& older) {
                return !is_same_port(newer, older);
            });
        case SourcePortMark::Scattered:
            return each_pair(probes, [](const ProbeHeader& newer, const ProbeHeader& older) {
                return are_far_apart(newer.source_port, older.source_port);
            });
    }
    return true;
}

// Whether `number` of each probe is that of a try of one scan. Another try changes the same bits in
// the upper and the lower half. It comes from another source port, unless the user set the port.
template <class Number>
bool are_tries(Probes probes, Number number) {
    const ProbeHeader& first = probes[0];
    return number(first) != 0 && each(probes, [&](const ProbeHeader& probe) {
               const std::uint32_t changed = number(probe) ^ number(first);
               const int ports_apart = std::abs(probe.source_port - first.source_port);
               return (changed >> 16) == (changed & 0xffff) && ports_apart <= kMostPortsOfTries &&
                      (changed != 0 || ports_apart == 0);
           });
}

// Versions differ in which of the two numbers of a segment with ACK carries the try; the other is
// zero, or, in a SYN, random.
bool are_tries(Probes probes) {
    const bool acknowledges = (probes[0].flags & kAck) != 0;
    if (are_tries(probes, [](const ProbeHeader& probe) { return probe.sequence; })) {
        return acknowledges ||
               each(probes, [](const ProbeHeader& probe) { return probe.acknowledgement == 0; });
    }
    return acknowledges &&
           are_tries(probes, [](const ProbeHeader& probe) { return probe.acknowledgement; }) &&
           ((probes[0].flags & kSyn) != 0 ||
            each(probes, [](const ProbeHeader& probe) { return probe.sequence == 0; }));
}

bool fits(NumberMark mark, Probes probes) {
    switch (mark) {
        case NumberMark::Any:
            break;
        case NumberMark::FreshSequence:
            return each(probes,
                        [](const ProbeHeader& probe) { return probe.acknowledgement == 0; }) &&
                   each_pair(probes, [](const ProbeHeader& newer, const ProbeHeader& older) {
                       return newer.sequence != older.sequence;
                   });
        case NumberMark::Tries:
            return are_tries(probes);
        case NumberMark::Random31: {
            constexpr std::uint32_t kBit31 = 1U << 31;
            return each(probes,
                        [](const ProbeHeader& probe) {
                            return ((probe.sequence | probe.acknowledgement) & kBit31) == 0;
                        }) &&
                   each_pair(probes, [](const ProbeHeader& newer, const ProbeHeader& older) {
                       return newer.sequence != older.sequence &&
                              newer.acknowledgement != older.acknowledgement;
                   });
        }
        case NumberMark::PortsXorKey: {
            const auto key = [](const ProbeHeader& probe) {
                return probe.sequence ^
                       ((std::uint32_t{probe.destination_port} << 16) + probe.source_port);
            };
            return each(probes,
                        [&](const ProbeHeader& probe) { return key(probe) == key(probes[0]); });
        }
    }
    return true;
}

std::uint16_t low_half_of_address(const ProbeHeader& probe) {
    const std::uint8_t* bytes = probe.destination.data() + probe.destination.size() - 2;
    return static_cast<std::uint16_t>((bytes[0] << 8) | bytes[1]);
}

bool fits(IpIdMark mark, Probes probes) {
    if (mark != IpIdMark::Any && !probes[0].source.is_v4()) {
        return false;
    }
    switch (mark) {
        case IpIdMark::Any:
            break;
        case IpIdMark::Is54321:
            return each(probes, [](const ProbeHeader& probe) { return probe.ip_id == 54321; });
        case IpIdMark::Scattered:
            return each_pair(probes, [](const ProbeHeader& newer, const ProbeHeader& older) {
                return are_far_apart(newer.ip_id, older.ip_id);
            });
        case IpIdMark::HashOfTarget:
            return each(probes, [](const ProbeHeader& probe) {
                return probe.ip_id ==
                       static_cast<std::uint16_t>(low_half_of_address(probe) ^
                                                  probe.destination_port ^ probe.sequence);
            });
    }
    return true;
}

bool fits(const ScannerSignature& row, Probes probes) {
    return each(probes,
                [&](const ProbeHeader& probe) {
                    return ((probe.flags ^ row.flags) & row.flags_compared) == 0 &&
                           fits(row.window, probe.window) && fits(row.options, probe) &&
                           fits(row.dont_fragment, probe) && fits(row.ttl, probe.ttl);
                }) &&
           fits(row.source_port, probes) && fits(row.numbers, probes) && fits(row.ip_id, probes);
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
