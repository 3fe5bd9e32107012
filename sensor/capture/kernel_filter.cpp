#include "sensor/capture/kernel_filter.hpp"

#include <linux/if_arp.h>
#include <linux/if_packet.h>

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

constexpr std::array<std::uint16_t, 4> kVlanTags{0x8100, 0x88a8, 0x9100, 0x9200};
constexpr std::uint32_t kMaxVlanTags = 3;

// Headers that may stand before the transport header (IANA).
constexpr std::array<std::uint8_t, 8> kExtensionHeaders{0, 43, 44, 51, 60, 135, 139, 140};

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

// What the parts of the program have in common. X is the place of the IP header at `ipv4` and
// `ipv6`.
class FilterWriter {
  public:
    FilterWriter(LinkType link, const FilterSettings& settings)
        : settings_(settings),
          ipv4_(out_.label()),
          ipv6_(out_.label()),
          drop_(out_.label()),
          accept_(out_.label()) {
        find_ip(link);
        out_.place(ipv4_);
        write_ipv4();
        out_.place(ipv6_);
        write_ipv6();
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
    if (link == LinkType::LinuxCooked || link == LinkType::LinuxCooked2) {
        // The kernel puts the cooked header before the packet after the filter has seen it.
        out_.add(BPF_LDX | BPF_IMM, 0);
        out_.load_ancillary(SKF_AD_PROTOCOL);
        out_.jump_if(BPF_JEQ, 0x0800, ipv4_);
        out_.jump_if(BPF_JEQ, 0x86dd, ipv6_);
        out_.jump(drop_);
        return;
    }
    if (link != LinkType::Ethernet) {
        out_.add(BPF_LDX | BPF_IMM, link == LinkType::RawIp ? 0 : 4);
        out_.add(kLoadByte, 0);
        out_.add(BPF_ALU | BPF_RSH | BPF_K, 4);
        out_.jump_if(BPF_JEQ, 4, ipv4_);
        out_.jump_if(BPF_JEQ, 6, ipv6_);
        out_.jump(drop_);
        return;
    }
    for (std::uint32_t tags = 0; tags <= kMaxVlanTags; ++tags) {
        const std::uint32_t length = 14 + 4 * tags;
        out_.add(BPF_LDX | BPF_IMM, length);
        out_.add(BPF_LD | BPF_H | BPF_ABS, length - 2);
        out_.jump_if(BPF_JEQ, 0x0800, ipv4_);
        out_.jump_if(BPF_JEQ, 0x86dd, ipv6_);
        const Label is_tagged = out_.label();
        for (const std::uint16_t tag : kVlanTags) {
            out_.jump_if(BPF_JEQ, tag, is_tagged);
        }
        out_.jump(drop_);
        out_.place(is_tagged);
        if (tags == 0 && !settings_.other_vlans.empty()) {
            out_.add(BPF_LD | BPF_H | BPF_ABS, length);
            drop_other_vlans();
        }
    }
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

void FilterWriter::write_ipv4() {
    const Label is_whole = out_.label();
    const Label has_passed = out_.label();
    out_.add(BPF_STX, kNetworkHeader);
    // More fragments, an offset, or the reserved flag. RFC 791.
    out_.add(kLoadHalf, 6);
    out_.jump_unless(BPF_JSET, 0xbfff, is_whole);
    out_.keep(kLongSnapshot);
    out_.add(kLoadByte, 9);
    out_.jump_if(BPF_JEQ, 1, has_passed);
    if (settings_.tcp) {
        out_.jump_if(BPF_JEQ, 6, has_passed);
    }
    if (settings_.udp) {
        out_.jump_if(BPF_JEQ, 17, has_passed);
    }
    out_.jump(drop_);
    out_.place(is_whole);
    out_.add(kLoadByte, 9);
    out_.jump_if(BPF_JEQ, 1, has_passed);
    if (settings_.udp) {
        out_.jump_if(BPF_JEQ, 17, has_passed);
    }
    if (settings_.tcp) {
        out_.jump_unless(BPF_JEQ, 6, drop_);
        out_.add(kLoadByte, 0);
        out_.add(BPF_ALU | BPF_AND | BPF_K, 0x0f);
        out_.add(BPF_ALU | BPF_LSH | BPF_K, 2);
        out_.jump_unless(BPF_JGE, 20, has_passed);  // too short: for the parser as well
        out_.add(BPF_ALU | BPF_ADD | BPF_X);
        out_.add(BPF_MISC | BPF_TAX);
        write_flags(has_passed);
    } else {
        out_.jump(drop_);
    }
    out_.place(has_passed);
    out_.add(BPF_LDX | BPF_MEM, kNetworkHeader);
    write_addresses(base::IpFamily::V4, 12, 16);
}

void FilterWriter::write_ipv6() {
    const Label has_passed = out_.label();
    const Label is_long = out_.label();
    out_.add(BPF_STX, kNetworkHeader);
    out_.add(kLoadByte, 6);
    if (settings_.udp) {
        out_.jump_if(BPF_JEQ, 17, has_passed);
    }
    out_.jump_if(BPF_JEQ, 58, is_long);
    for (const std::uint8_t header : kExtensionHeaders) {
        out_.jump_if(BPF_JEQ, header, is_long);
    }
    if (settings_.tcp) {
        out_.jump_unless(BPF_JEQ, 6, drop_);
        out_.add(BPF_MISC | BPF_TXA);
        out_.add(BPF_ALU | BPF_ADD, 40);  // BPF_K is 0
        out_.add(BPF_MISC | BPF_TAX);
        write_flags(has_passed);
    } else {
        out_.jump(drop_);
    }
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
    // Nobody else can put a packet on the loopback, and libpcap shows only what comes in there.
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
