#include "active-response/table_rules.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

namespace portcullis::active_response {
namespace {

using base::BlockKind;
using base::IpFamily;

std::string raw16(std::uint16_t value) {
    const std::uint16_t ordered = htons(value);
    return {reinterpret_cast<const char*>(&ordered), sizeof ordered};
}

Attributes value(const std::string& bytes) {
    return Attributes().bytes(NFTA_DATA_VALUE, bytes.data(), bytes.size());
}

Expression meta(std::uint32_t key) {
    return {"meta", Attributes().u32(NFTA_META_KEY, key).u32(NFTA_META_DREG, NFT_REG_1)};
}

Expression payload(std::uint32_t base, std::uint32_t offset, std::uint32_t length) {
    return {"payload", Attributes()
                           .u32(NFTA_PAYLOAD_DREG, NFT_REG_1)
                           .u32(NFTA_PAYLOAD_BASE, base)
                           .u32(NFTA_PAYLOAD_OFFSET, offset)
                           .u32(NFTA_PAYLOAD_LEN, length)};
}

Expression masked(const std::string& mask) {
    return {"bitwise", Attributes()
                           .u32(NFTA_BITWISE_SREG, NFT_REG_1)
                           .u32(NFTA_BITWISE_DREG, NFT_REG_1)
                           .u32(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.size()))
                           .nest(NFTA_BITWISE_MASK, value(mask))
                           .nest(NFTA_BITWISE_XOR, value(std::string(mask.size(), '\0')))};
}

Expression compare(std::uint32_t op, const std::string& bytes) {
    return {"cmp", Attributes()
                       .u32(NFTA_CMP_SREG, NFT_REG_1)
                       .u32(NFTA_CMP_OP, op)
                       .nest(NFTA_CMP_DATA, value(bytes))};
}

Expression is_in(const SetId& set) {
    return {"lookup",
            Attributes().text(NFTA_LOOKUP_SET, set.name()).u32(NFTA_LOOKUP_SREG, NFT_REG_1)};
}

Expression verdict(int code, std::string_view chain = {}) {
    Attributes attributes;
    attributes.u32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code));
    if (!chain.empty()) {
        attributes.text(NFTA_VERDICT_CHAIN, chain);
    }
    return {"immediate",
            Attributes()
                .u32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT)
                .nest(NFTA_IMMEDIATE_DATA, Attributes().nest(NFTA_DATA_VERDICT, attributes))};
}

void append(Rule& rule, std::initializer_list<Expression> more) { rule.insert(rule.end(), more); }

Rule of_family(std::uint8_t family) {
    return {meta(NFT_META_NFPROTO), compare(NFT_CMP_EQ, std::string(1, static_cast<char>(family)))};
}

Rule of_protocol(std::uint8_t protocol) {
    return {meta(NFT_META_L4PROTO),
            compare(NFT_CMP_EQ, std::string(1, static_cast<char>(protocol)))};
}

Rule of_icmp(IpFamily family) {
    Rule rule = of_family(family == IpFamily::V4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
    std::uint8_t number = IPPROTO_ICMP;
    if (family == IpFamily::V6) {
        number = IPPROTO_ICMPV6;
    }
    const Rule protocol = of_protocol(number);
    rule.insert(rule.end(), protocol.begin(), protocol.end());
    return rule;
}

Rule with(Rule rule, std::initializer_list<Expression> more) {
    append(rule, more);
    return rule;
}

constexpr char kRst = 0x04;
constexpr char kAck = 0x10;

// Matches TCP segments whose flags of `mask` are `flags`.
Rule tcp_flags(char mask, std::uint32_t op, char flags) {
    return with(of_protocol(IPPROTO_TCP),
                {payload(NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1), masked(std::string(1, mask)),
                 compare(op, std::string(1, flags))});
}

std::string mask_of(int prefix_length, std::size_t size) {
    std::string mask(size, '\0');
    for (int bit = 0; bit < prefix_length; ++bit) {
        auto& byte = mask[static_cast<std::size_t>(bit / 8)];
        byte = static_cast<char>(static_cast<unsigned char>(byte) | (0x80 >> (bit % 8)));
    }
    return mask;
}

enum class Side { Source, Destination };

// Packets from or to an element of `set` get the verdict `what`.
Rule of_set(const SetId& set, Side side, const Expression& what) {
    const bool is_v4 = set.family == IpFamily::V4;
    const std::uint32_t offset =
        is_v4 ? (side == Side::Source ? 12 : 16) : (side == Side::Source ? 8 : 24);
    const auto size = static_cast<std::uint32_t>(set.address_size());
    Rule rule = of_family(is_v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
    append(rule, {payload(NFT_PAYLOAD_NETWORK_HEADER, offset, size)});
    if (set.is_of_networks()) {
        append(rule, {masked(mask_of(set.prefix_length, size))});
    }
    append(rule, {is_in(set), what});
    return rule;
}

// Packets from a source that is blocked softly. At the hook input IPv4 is complete. Fragments occur
// in IPv6, and where a router forwards. The first fragment decides, since the others are useless
// without it. If it is too short for TCP's flags, it is dropped.
std::vector<Rule> soft_rules(std::uint16_t first_local_port) {
    const auto drop = verdict(NF_DROP);
    const auto back = verdict(NFT_RETURN);
    const auto is_service_port = compare(NFT_CMP_LT, raw16(first_local_port));
    return {
        with(of_family(NFPROTO_IPV4),
             {payload(NFT_PAYLOAD_NETWORK_HEADER, 6, 2), masked(raw16(0x1fff)),
              compare(NFT_CMP_NEQ, raw16(0)), back}),
        with(of_family(NFPROTO_IPV6), {{"exthdr", Attributes()
                                                      .u32(NFTA_EXTHDR_DREG, NFT_REG_1)
                                                      .u8(NFTA_EXTHDR_TYPE, IPPROTO_FRAGMENT)
                                                      .u32(NFTA_EXTHDR_OFFSET, 2)
                                                      .u32(NFTA_EXTHDR_LEN, 2)},
                                       masked(raw16(0xfff8)),
                                       compare(NFT_CMP_NEQ, raw16(0)),
                                       back}),
        with(tcp_flags(kAck | kRst, NFT_CMP_NEQ, 0), {back}),
        with(of_protocol(IPPROTO_TCP), {drop}),
        with(of_protocol(IPPROTO_UDP),
             {payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2), is_service_port, drop}),
        with(of_protocol(IPPROTO_UDPLITE),
             {payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2), is_service_port, drop}),
        // INIT alone has the verification tag 0 (RFC 9260, section 8.5.1).
        with(of_protocol(IPPROTO_SCTP), {payload(NFT_PAYLOAD_TRANSPORT_HEADER, 4, 4),
                                         compare(NFT_CMP_EQ, std::string(4, '\0')), drop}),
        // DCCP-Request is type 0 (RFC 4340, section 5.1).
        with(of_protocol(IPPROTO_DCCP),
             {payload(NFT_PAYLOAD_TRANSPORT_HEADER, 8, 1), masked(std::string(1, 0x1e)),
              compare(NFT_CMP_EQ, std::string(1, '\0')), drop}),
        with(of_icmp(IpFamily::V4), {payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1),
                                     compare(NFT_CMP_EQ, std::string(1, 8)), drop}),
        with(of_icmp(IpFamily::V6),
             {payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1),
              compare(NFT_CMP_EQ, std::string(1, static_cast<char>(128))), drop}),
    };
}

// Our refusals to such a source: RST without ACK answers a segment that belongs to no connection,
// RST with ACK and the sequence number 0 a SYN (RFC 9293, section 3.10.7.1). A connection that is
// aborted sends others. ICMP "fragmentation needed" is not muted: connections need it.
std::vector<Rule> mute_rules() {
    const auto drop = verdict(NF_DROP);
    return {
        with(tcp_flags(kRst | kAck, NFT_CMP_EQ, kRst), {drop}),
        with(tcp_flags(kRst | kAck, NFT_CMP_EQ, kRst | kAck),
             {payload(NFT_PAYLOAD_TRANSPORT_HEADER, 4, 4),
              compare(NFT_CMP_EQ, std::string(4, '\0')), drop}),
        with(of_icmp(IpFamily::V4),
             {payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1), compare(NFT_CMP_EQ, std::string(1, 3)),
              payload(NFT_PAYLOAD_TRANSPORT_HEADER, 1, 1), compare(NFT_CMP_NEQ, std::string(1, 4)),
              drop}),
        with(of_icmp(IpFamily::V6), {payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1),
                                     compare(NFT_CMP_EQ, std::string(1, 1)), drop}),
    };
}

}  // namespace

std::vector<Rule> rules_of(std::string_view chain, const std::set<SetId>& sets,
                           std::uint16_t first_local_port) {
    if (chain == "soft") {
        return soft_rules(first_local_port);
    }
    if (chain == "mute") {
        return mute_rules();
    }
    std::vector<Rule> rules;
    // Packets that cannot match skip the look-ups in the sets.
    if (chain == "input") {
        rules.push_back(with(tcp_flags(kAck | kRst, NFT_CMP_NEQ, 0), {verdict(NF_ACCEPT)}));
    } else if (chain == "forward") {
        rules.push_back(with(tcp_flags(kAck | kRst, NFT_CMP_EQ, kAck), {verdict(NF_ACCEPT)}));
    } else if (chain == "output") {
        rules.push_back(with(tcp_flags(kRst, NFT_CMP_EQ, 0), {verdict(NF_ACCEPT)}));
        rules.push_back(with(of_protocol(IPPROTO_UDP), {verdict(NF_ACCEPT)}));
    }
    for (const auto& set : sets) {
        if (chain == "gate") {
            if (set.block == BlockKind::Hard) {
                rules.push_back(of_set(set, Side::Source, verdict(NF_DROP)));
            }
            continue;
        }
        if (set.block != BlockKind::Soft) {
            continue;
        }
        if (chain == "input" || chain == "forward") {
            rules.push_back(of_set(set, Side::Source, verdict(NFT_JUMP, "soft")));
        }
        if (chain == "output" || chain == "forward") {
            rules.push_back(of_set(set, Side::Destination, verdict(NFT_JUMP, "mute")));
        }
    }
    return rules;
}

}  // namespace portcullis::active_response
