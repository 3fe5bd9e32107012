#include "sensor/capture/kernel_filter.hpp"

#include <linux/if_arp.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <array>
#include <utility>

namespace portcullis::sensor_capture {
namespace {

using sensor_packet::LinkType;

constexpr std::uint16_t kLoadByte = BPF_LD | BPF_B | BPF_IND;
constexpr std::uint16_t kLoadHalf = BPF_LD | BPF_H | BPF_IND;
constexpr std::uint16_t kLoadWord = BPF_LD | BPF_W | BPF_IND;

// Scratch memory.
constexpr std::uint32_t kNetworkHeader = 0;  // where it begins
constexpr std::uint32_t kSnapshot = 1;       // how many bytes will be kept
constexpr std::uint32_t kNextType = 2;       // an EtherType, while X moves behind it

// Of the tags in kTags only those of VLANs have this length.
constexpr std::uint8_t kVlanTagLength = 4;

// Headers that may precede the transport header (IANA).
constexpr std::array<std::uint8_t, 8> kExtensionHeaders{0, 43, 44, 51, 60, 135, 139, 140};

// IP protocols (IANA) whose packets are bulk: no detector needs their contents.
constexpr std::array<std::uint8_t, 8> kTunnels{4, 41, 47, 50, 94, 97, 115, 137};
constexpr std::uint8_t kAuthentication = 51;
constexpr std::uint8_t kSctp = 132;

// Chunk types of SCTP that a detector needs: see the header.
constexpr std::array<std::uint8_t, 6> kSctpChunks{1, 2, 6, 10, 11, 14};

// Instructions with labels to jump to. Conditional jumps reach 255 instructions only; so each
// skips an unconditional one, which reaches everywhere. Forwards only.
class Assembler {
  public:
    using Label = std::size_t;

    Label label() {
        places_.push_back(0);
        return places_.size() - 1;
    }
    void place(Label label) { places_[label] = program_.size(); }

    void add(std::uint16_t code, std::uint32_t value = 0) {
        program_.push_back({code, 0, 0, value});
    }
    void load_ancillary(int offset) {
        add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + offset));
    }
    void jump(Label to) {
        fixes_.emplace_back(program_.size(), to);
        add(BPF_JMP | BPF_JA);
    }
    // `test`: BPF_JEQ, BPF_JSET, BPF_JGE or BPF_JGT, of A and `value`; with BPF_X: of A and X.
    void jump_if(int test, std::uint32_t value, Label to) {
        program_.push_back({static_cast<std::uint16_t>(BPF_JMP | test), 0, 1, value});
        jump(to);
    }
    void jump_unless(int test, std::uint32_t value, Label to) {
        program_.push_back({static_cast<std::uint16_t>(BPF_JMP | test), 1, 0, value});
        jump(to);
    }
    void move_x(std::uint32_t bytes) {
        add(BPF_MISC | BPF_TXA);
        add(BPF_ALU | BPF_ADD, bytes);  // BPF_K is 0
        add(BPF_MISC | BPF_TAX);
    }
    void keep(std::uint32_t bytes) {
        add(BPF_LD | BPF_IMM, bytes);
        add(BPF_ST, kSnapshot);
    }

    std::vector<sock_filter> take() {
        for (const auto& [at, label] : fixes_) {
            program_[at].k = static_cast<std::uint32_t>(places_[label] - at - 1);
        }
        return std::move(program_);
    }

  private:
    std::vector<sock_filter> program_;
    std::vector<std::pair<std::size_t, Label>> fixes_;
    std::vector<std::size_t> places_;
};
using Label = Assembler::Label;

std::uint32_t word_of(const base::IpAddress& address, std::size_t at) {
    const std::uint8_t* bytes = address.data() + at;
    return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
           (std::uint32_t{bytes[2]} << 8) | bytes[3];
}

// The labels that the parts of the program share. X is the offset of the IP header at `ipv4` and
// `ipv6`.
class FilterWriter {
  public:
    FilterWriter(LinkType link, const FilterSettings& settings)
        : settings_(settings),
          ipv4_(out_.label()),
          ipv6_(out_.label()),
          is_unknown_(out_.label()),
          drop_(out_.label()),
          accept_(out_.label()) {
        find_ip(link);
        out_.place(ipv4_);
        write_ipv4();
        out_.place(ipv6_);
        write_ipv6();
        out_.place(is_unknown_);
        if (settings_.only_ours && !settings_.ours.empty()) {
            out_.jump(drop_);
        }
        out_.keep(kLongSnapshot);
        out_.place(accept_);
        out_.add(BPF_LD | BPF_MEM, kSnapshot);
        out_.add(BPF_RET | BPF_A);
        out_.place(drop_);
        out_.add(BPF_RET | BPF_K, 0);
    }
    std::vector<sock_filter> take() { return out_.take(); }

  private:
    void find_ip(LinkType link);
    void drop_other_vlans();
    // X: an IP header of unknown version.
    void jump_by_version();
    // A: an EtherType; X: what is behind it.
    void follow_types();
    // Moves X behind the next EtherType, `length` bytes further, and loads that type.
    void load_next_type(std::uint32_t length);
    // X: what is behind the EtherType.
    void write_llc();
    void write_mpls();
    void write_pppoe();
    void write_arp();
    // A: an IP protocol other than TCP, UDP, ICMP and SCTP. Tunnels are dropped.
    void write_other_protocols(Label passes);
    // X: the SCTP header. All but the chunks of kSctpChunks are dropped.
    void write_sctp(Label passes);
    // X: the IPv4 header, afterwards what is behind it.
    void move_behind_ipv4(Label passes);
    void write_ipv4();
    void write_ipv6();
    // X: the TCP header. Bulk is dropped.
    void write_flags(Label passes);
    // X: the IP header. `source`, `destination`: offsets in it.
    void write_addresses(base::IpFamily family, std::uint32_t source, std::uint32_t destination);
    void jump_if_ours(base::IpFamily family, std::uint32_t offset, Label to);

    const FilterSettings& settings_;
    Assembler out_;
    Label ipv4_;
    Label ipv6_;
    Label is_unknown_;  // the addresses cannot be looked at
    Label drop_;
    Label accept_;
};

// A: a tag's control word.
void FilterWriter::drop_other_vlans() {
    out_.add(BPF_ALU | BPF_AND | BPF_K, 0x0fff);
    for (const std::uint16_t vlan : settings_.other_vlans) {
        out_.jump_if(BPF_JEQ, vlan, drop_);
    }
}

void FilterWriter::find_ip(LinkType link) {
    out_.keep(kShortSnapshot);
    if (!settings_.other_vlans.empty()) {
        // The outer tag has been taken out of the frame, as a rule.
        const Label is_untagged = out_.label();
        out_.load_ancillary(SKF_AD_VLAN_TAG_PRESENT);
        out_.jump_if(BPF_JEQ, 0, is_untagged);
        out_.load_ancillary(SKF_AD_VLAN_TAG);
        drop_other_vlans();
        out_.place(is_untagged);
    }
    switch (link) {
        case LinkType::LinuxCooked:
        case LinkType::LinuxCooked2:
            // The kernel puts the cooked header before the packet after the filter has seen it.
            out_.add(BPF_LDX | BPF_IMM, 0);
            out_.load_ancillary(SKF_AD_PROTOCOL);
            follow_types();
            return;
        case LinkType::Ethernet:
            out_.add(BPF_LDX | BPF_IMM, 14);
            out_.add(BPF_LD | BPF_H | BPF_ABS, 12);
            follow_types();
            return;
        case LinkType::CiscoHdlc:
            out_.add(BPF_LDX | BPF_IMM, 4);
            out_.add(BPF_LD | BPF_H | BPF_ABS, 2);
            follow_types();
            return;
        case LinkType::Ppp:
        case LinkType::PppoeSession:
            out_.keep(kLongSnapshot);
            out_.jump(accept_);
            return;
        case LinkType::RawIp:
        case LinkType::Null:
        case LinkType::Loop:
            break;
    }
    out_.add(BPF_LDX | BPF_IMM, link == LinkType::RawIp ? 0 : 4);
    jump_by_version();
}

void FilterWriter::jump_by_version() {
    out_.add(kLoadByte, 0);
    out_.add(BPF_ALU | BPF_RSH | BPF_K, 4);
    out_.jump_if(BPF_JEQ, 4, ipv4_);
    out_.jump_if(BPF_JEQ, 6, ipv6_);
    out_.jump(drop_);
}

void FilterWriter::load_next_type(std::uint32_t length) {
    out_.add(kLoadHalf, length - 2);
    out_.add(BPF_ST, kNextType);
    out_.move_x(length);
    out_.add(BPF_LD | BPF_MEM, kNextType);
}

void FilterWriter::follow_types() {
    const Label is_llc = out_.label();
    const Label is_mpls = out_.label();
    const Label is_pppoe = out_.label();
    const Label is_arp = out_.label();
    for (std::uint32_t headers = 0; headers <= kMaxFilteredHeaders; ++headers) {
        const bool is_last = headers == kMaxFilteredHeaders;
        out_.jump_if(BPF_JEQ, sensor_packet::kTypeIpv4, ipv4_);
        out_.jump_if(BPF_JEQ, sensor_packet::kTypeIpv6, ipv6_);
        const Label next = out_.label();
        // One label for each length.
        std::vector<std::pair<std::uint8_t, Label>> steps;
        for (const sensor_packet::TagRow& row : sensor_packet::kTags) {
            if (is_last) {
                out_.jump_if(BPF_JEQ, row.type, is_unknown_);
                continue;
            }
            auto step = std::find_if(steps.begin(), steps.end(),
                                     [&](const auto& each) { return each.first == row.length; });
            if (step == steps.end()) {
                step = steps.insert(steps.end(), {row.length, out_.label()});
            }
            out_.jump_if(BPF_JEQ, row.type, step->second);
        }
        out_.jump_if(BPF_JEQ, sensor_packet::kTypeMpls, is_mpls);
        out_.jump_if(BPF_JEQ, sensor_packet::kTypeMplsMulticast, is_mpls);
        out_.jump_if(BPF_JEQ, sensor_packet::kTypePppoeSession, settings_.pppoe ? is_pppoe : drop_);
        out_.jump_if(BPF_JEQ, sensor_packet::kTypeArp, settings_.arp ? is_arp : drop_);
        out_.jump_unless(BPF_JGE, sensor_packet::kFirstType, is_llc);
        out_.jump_unless(BPF_JEQ, sensor_packet::kTypeMacsec, drop_);
        if (!settings_.macsec) {
            out_.jump(drop_);
        } else if (is_last) {
            out_.jump(is_unknown_);
        } else {
            const Label has_no_channel = out_.label();
            out_.add(kLoadByte, 0);
            out_.jump_if(BPF_JSET, sensor_packet::kMacsecVersion | sensor_packet::kMacsecIsChanged,
                         drop_);
            out_.jump_unless(BPF_JSET, sensor_packet::kMacsecHasChannel, has_no_channel);
            load_next_type(sensor_packet::kMacsecTagWithChannel);
            out_.jump(next);
            out_.place(has_no_channel);
            load_next_type(sensor_packet::kMacsecTag);
            out_.jump(next);
        }
        for (const auto& [length, step] : steps) {
            out_.place(step);
            if (headers == 0 && length == kVlanTagLength && !settings_.other_vlans.empty()) {
                out_.add(kLoadHalf, 0);
                drop_other_vlans();
            }
            load_next_type(length);
            out_.jump(next);
        }
        out_.place(next);
    }
    out_.place(is_llc);
    write_llc();
    out_.place(is_mpls);
    write_mpls();
    out_.place(is_pppoe);
    write_pppoe();
    out_.place(is_arp);
    write_arp();
}

void FilterWriter::write_llc() {
    constexpr std::uint32_t kHeader = 3;
    constexpr std::uint32_t kSnapHeader = 8;
    const Label is_snap = out_.label();
    const Label is_ip = out_.label();
    out_.add(kLoadWord, 0);
    out_.jump_if(BPF_JEQ, 0xaaaa0300, is_snap);
    out_.add(BPF_ALU | BPF_RSH | BPF_K, 8);
    out_.jump_if(BPF_JEQ, 0x060603, is_ip);
    out_.jump(drop_);
    out_.place(is_ip);
    out_.move_x(kHeader);
    out_.jump(ipv4_);
    out_.place(is_snap);
    const Label is_known = out_.label();
    out_.add(kLoadHalf, 4);  // the rest of the organization: Ethernet, or a bridge (802.1H)
    out_.jump_if(BPF_JEQ, 0, is_known);
    out_.jump_unless(BPF_JEQ, 0x00f8, drop_);
    out_.place(is_known);
    load_next_type(kSnapHeader);
    out_.jump_if(BPF_JEQ, sensor_packet::kTypeIpv4, ipv4_);
    out_.jump_if(BPF_JEQ, sensor_packet::kTypeIpv6, ipv6_);
    // Whatever else has a type there is rare.
    out_.jump(is_unknown_);
}

void FilterWriter::write_mpls() {
    constexpr std::uint32_t kBottomOfStack = 0x100;
    const Label is_bottom = out_.label();
    for (std::uint32_t label = 0; label < kMaxFilteredLabels; ++label) {
        out_.add(kLoadWord, 0);
        out_.jump_if(BPF_JSET, kBottomOfStack, is_bottom);
        out_.move_x(4);
    }
    out_.jump(is_unknown_);
    out_.place(is_bottom);
    out_.move_x(4);
    jump_by_version();
}

void FilterWriter::write_pppoe() {
    constexpr std::uint32_t kHeader = 6;
    const Label is_short = out_.label();
    out_.add(kLoadHalf, 0);
    out_.jump_unless(BPF_JEQ, 0x1100, drop_);
    out_.move_x(kHeader);
    out_.add(kLoadByte, 0);
    out_.jump_unless(BPF_JEQ, 0, is_short);
    out_.move_x(1);
    out_.add(kLoadByte, 0);
    out_.place(is_short);
    // A is lost when X moves.
    const Label is_v6 = out_.label();
    out_.jump_if(BPF_JEQ, sensor_packet::kPppIpv6, is_v6);
    out_.jump_unless(BPF_JEQ, sensor_packet::kPppIpv4, drop_);
    out_.move_x(1);
    out_.jump(ipv4_);
    out_.place(is_v6);
    out_.move_x(1);
    out_.jump(ipv6_);
}

void FilterWriter::write_arp() {
    constexpr std::uint32_t kOperation = 6;
    constexpr std::uint32_t kRequest = 1;
    out_.add(kLoadHalf, kOperation);
    out_.jump_if(BPF_JEQ, kRequest, accept_);
    out_.jump(drop_);
}

void FilterWriter::write_flags(Label passes) {
    // A header that is cut short is for the parser, which counts it.
    out_.add(BPF_LD | BPF_W | BPF_LEN);
    out_.jump_unless(BPF_JGT | BPF_X, 0, passes);
    out_.add(BPF_ALU | BPF_SUB | BPF_X);
    out_.jump_unless(BPF_JGE, 14, passes);
    out_.add(kLoadByte, 13);
    std::uint32_t flags =
        sensor_packet::kFin | sensor_packet::kSyn | sensor_packet::kRst | sensor_packet::kUrg;
    if (settings_.congestion_flags) {
        flags |= sensor_packet::kEce | sensor_packet::kCwr;
    }
    out_.jump_if(BPF_JSET, flags, passes);
    out_.jump_unless(BPF_JSET, sensor_packet::kAck, passes);
    out_.add(kLoadWord, 4);
    out_.jump_if(BPF_JEQ, 0, passes);
    out_.jump(drop_);
}

void FilterWriter::write_sctp(Label passes) {
    constexpr std::uint32_t kFirstChunk = 12;
    out_.add(BPF_LD | BPF_W | BPF_LEN);
    out_.jump_unless(BPF_JGT | BPF_X, 0, passes);
    out_.add(BPF_ALU | BPF_SUB | BPF_X);
    out_.jump_unless(BPF_JGE, kFirstChunk + 1, passes);
    out_.add(kLoadByte, kFirstChunk);
    for (const std::uint8_t chunk : kSctpChunks) {
        out_.jump_if(BPF_JEQ, chunk, passes);
    }
    out_.jump(drop_);
}

void FilterWriter::write_other_protocols(Label passes) {
    if (!settings_.other_protocols) {
        out_.jump(drop_);
        return;
    }
    for (const std::uint8_t tunnel : kTunnels) {
        out_.jump_if(BPF_JEQ, tunnel, drop_);
    }
    out_.jump(passes);
}

void FilterWriter::write_ipv4() {
    const Label is_whole = out_.label();
    const Label is_tcp = out_.label();
    const Label is_sctp = out_.label();
    const Label has_passed = out_.label();
    out_.add(BPF_STX, kNetworkHeader);
    // More fragments, an offset, or the reserved flag. RFC 791.
    out_.add(kLoadHalf, 6);
    out_.jump_unless(BPF_JSET, 0xbfff, is_whole);
    out_.keep(kLongSnapshot);
    out_.add(kLoadByte, 9);
    out_.jump_if(BPF_JEQ, 1, has_passed);
    out_.jump_if(BPF_JEQ, 6, settings_.tcp ? has_passed : drop_);
    out_.jump_if(BPF_JEQ, 17, settings_.udp ? has_passed : drop_);
    out_.jump_if(BPF_JEQ, kAuthentication, drop_);
    write_other_protocols(has_passed);
    out_.place(is_whole);
    out_.add(kLoadByte, 9);
    out_.jump_if(BPF_JEQ, 6, settings_.tcp ? is_tcp : drop_);
    out_.jump_if(BPF_JEQ, 17, settings_.udp ? has_passed : drop_);
    out_.jump_if(BPF_JEQ, 1, has_passed);
    out_.jump_if(BPF_JEQ, kSctp, settings_.other_protocols ? is_sctp : drop_);
    out_.jump_if(BPF_JEQ, kAuthentication, drop_);
    write_other_protocols(has_passed);
    out_.place(is_tcp);
    move_behind_ipv4(has_passed);
    write_flags(has_passed);
    out_.place(is_sctp);
    move_behind_ipv4(has_passed);
    write_sctp(has_passed);
    out_.place(has_passed);
    out_.add(BPF_LDX | BPF_MEM, kNetworkHeader);
    write_addresses(base::IpFamily::V4, 12, 16);
}

void FilterWriter::move_behind_ipv4(Label passes) {
    out_.add(kLoadByte, 0);
    out_.add(BPF_ALU | BPF_AND | BPF_K, 0x0f);
    out_.add(BPF_ALU | BPF_LSH | BPF_K, 2);
    out_.jump_unless(BPF_JGE, 20, passes);  // too short: for the parser as well
    out_.add(BPF_ALU | BPF_ADD | BPF_X);
    out_.add(BPF_MISC | BPF_TAX);
}

void FilterWriter::write_ipv6() {
    constexpr std::uint32_t kHeader = 40;
    const Label is_tcp = out_.label();
    const Label is_sctp = out_.label();
    const Label has_passed = out_.label();
    const Label is_long = out_.label();
    out_.add(BPF_STX, kNetworkHeader);
    out_.add(kLoadByte, 6);
    out_.jump_if(BPF_JEQ, 6, settings_.tcp ? is_tcp : drop_);
    out_.jump_if(BPF_JEQ, 17, settings_.udp ? has_passed : drop_);
    out_.jump_if(BPF_JEQ, 58, is_long);
    for (const std::uint8_t header : kExtensionHeaders) {
        out_.jump_if(BPF_JEQ, header, is_long);
    }
    out_.jump_if(BPF_JEQ, kSctp, settings_.other_protocols ? is_sctp : drop_);
    write_other_protocols(has_passed);
    out_.place(is_tcp);
    out_.move_x(kHeader);
    write_flags(has_passed);
    out_.place(is_sctp);
    out_.move_x(kHeader);
    write_sctp(has_passed);
    out_.place(is_long);
    out_.keep(kLongSnapshot);
    out_.place(has_passed);
    out_.add(BPF_LDX | BPF_MEM, kNetworkHeader);
    write_addresses(base::IpFamily::V6, 8, 24);
}

void FilterWriter::write_addresses(base::IpFamily family, std::uint32_t source,
                                   std::uint32_t destination) {
    if (settings_.ours.empty()) {
        out_.jump(accept_);
        return;
    }
    const bool is_list_whole = settings_.ours.size() <= kMaxFilteredAddresses;
    const Label is_from_us = out_.label();
    jump_if_ours(family, source, is_from_us);
    if (settings_.only_ours && is_list_whole) {
        jump_if_ours(family, destination, accept_);
        out_.jump(drop_);
    } else {
        out_.jump(accept_);
    }
    out_.place(is_from_us);
    out_.load_ancillary(SKF_AD_PKTTYPE);
    out_.jump_if(BPF_JEQ, PACKET_OUTGOING, accept_);
    // Only this host can put a packet on the loopback, and libpcap shows only inbound packets
    // there.
    out_.load_ancillary(SKF_AD_HATYPE);
    out_.jump_if(BPF_JEQ, ARPHRD_LOOPBACK, accept_);
    out_.jump(drop_);
}

void FilterWriter::jump_if_ours(base::IpFamily family, std::uint32_t offset, Label to) {
    std::size_t count = 0;
    for (const base::IpAddress& address : settings_.ours) {
        if (++count > kMaxFilteredAddresses) {
            break;
        }
        if (address.family() != family) {
            continue;
        }
        const Label differs = out_.label();
        for (std::uint32_t at = 0; at < address.size(); at += 4) {
            out_.add(kLoadWord, offset + at);
            out_.jump_unless(BPF_JEQ, word_of(address, at), differs);
        }
        out_.jump(to);
        out_.place(differs);
    }
}

}  // namespace

std::vector<sock_filter> kernel_filter(LinkType link, const FilterSettings& settings) {
    return FilterWriter(link, settings).take();
}

}  // namespace portcullis::sensor_capture
