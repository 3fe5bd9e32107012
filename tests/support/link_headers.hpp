// One sample of each header that can be between the addresses of an Ethernet frame and the IP
// packet, for the tests of the parser and of the kernel filter.
#pragma once

#include <vector>

#include "tests/support/frames.hpp"

namespace portcullis::test {

struct LinkHeaderSample {
    const char* what;
    // From behind the addresses to the IP packet. v6 is empty where there is none.
    Frame v4;
    Frame v6;
};

// `frame` is one of ipv4() or ipv6(); the header takes the place of its EtherType.
inline Frame with_link_header(const Frame& frame, const LinkHeaderSample& sample) {
    const bool is_v4 = frame[12] == 0x08;
    Frame made(frame.begin(), frame.begin() + 12);
    append(made, is_v4 ? sample.v4 : sample.v6);
    made.insert(made.end(), frame.begin() + 14, frame.end());
    return made;
}

// A header that the EtherType of the packet follows.
inline LinkHeaderSample tag_sample(const char* what, const Frame& header) {
    LinkHeaderSample sample{what, header, header};
    append(sample.v4, {0x08, 0x00});
    append(sample.v6, {0x86, 0xdd});
    return sample;
}

inline std::vector<LinkHeaderSample> link_header_samples() {
    const Frame mpls{0x88, 0x47};
    const Frame pppoe{0x88, 0x64, 0x11, 0x00, 0x00, 0x2a, 0x00, 0x2a};
    const auto joined = [](Frame head, const Frame& rest) {
        append(head, rest);
        return head;
    };
    const auto same = [](const char* what, const Frame& header) {
        return LinkHeaderSample{what, header, header};
    };
    const Frame label{0x00, 0x01, 0x00, 0x40};
    const Frame last_label{0x00, 0x02, 0x01, 0x40};
    return {
        tag_sample("none", {}),
        tag_sample("VLAN tag", {0x81, 0x00, 0x00, 0x64}),
        tag_sample("service VLAN tag", {0x88, 0xa8, 0x00, 0x64}),
        tag_sample("old outer tag 9100", {0x91, 0x00, 0x00, 0x64}),
        tag_sample("old outer tag 9200", {0x92, 0x00, 0x00, 0x64}),
        tag_sample("three VLAN tags",
                   {0x91, 0x00, 0x00, 0x64, 0x88, 0xa8, 0x00, 0x65, 0x81, 0x00, 0x00, 0x66}),
        tag_sample("Cisco MetaData", {0x89, 0x09, 0x01, 0x01, 0x00, 0x01, 0x00, 0x07}),
        tag_sample("MetaData behind a VLAN tag",
                   {0x81, 0x00, 0x00, 0x64, 0x89, 0x09, 0x01, 0x01, 0x00, 0x01, 0x00, 0x07}),
        tag_sample("R-TAG", {0xf1, 0xc1, 0x00, 0x00, 0x12, 0x34}),
        tag_sample("E-TAG", {0x89, 0x3f, 0x00, 0x00, 0x00, 0x64, 0x00, 0x00}),
        tag_sample("VN-Tag", {0x89, 0x26, 0x80, 0x64, 0x00, 0x01}),
        tag_sample("I-TAG",
                   {0x88, 0xe7, 0x00, 0x00, 0x03, 0xe8, 2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 4}),
        tag_sample("I-TAG in a backbone VLAN, a VLAN in it",
                   {0x88, 0xa8, 0x00, 0x64, 0x88, 0xe7, 0x00, 0x00, 0x03, 0xe8, 2,    0,    0,
                    0,    0,    3,    2,    0,    0,    0,    0,    4,    0x81, 0x00, 0x00, 0x07}),
        tag_sample("MACsec, integrity alone", {0x88, 0xe5, 0x00, 0x00, 0x00, 0x00, 0x00, 0x09}),
        tag_sample("MACsec with a channel",
                   {0x88, 0xe5, 0x20, 0x00, 0x00, 0x00, 0x00, 0x09, 2, 0, 0, 0, 0, 1, 0, 1}),
        same("MPLS, one label", joined(mpls, last_label)),
        same("MPLS, three labels", joined(joined(joined(mpls, label), label), last_label)),
        same("MPLS to many", joined({0x88, 0x48}, last_label)),
        same("MPLS in a VLAN", joined(joined({0x81, 0x00, 0x00, 0x64}, mpls), last_label)),
        {"PPPoE", joined(pppoe, {0x00, 0x21}), joined(pppoe, {0x00, 0x57})},
        {"PPPoE, protocol in one byte", joined(pppoe, {0x21}), joined(pppoe, {0x57})},
        {"PPPoE in a VLAN", joined({0x81, 0x00, 0x00, 0x64}, joined(pppoe, {0x00, 0x21})),
         joined({0x81, 0x00, 0x00, 0x64}, joined(pppoe, {0x00, 0x57}))},
        tag_sample("SNAP", {0x00, 0x40, 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00}),
        tag_sample("SNAP of a bridge", {0x00, 0x40, 0xaa, 0xaa, 0x03, 0x00, 0x00, 0xf8}),
        tag_sample("SNAP in a VLAN",
                   {0x81, 0x00, 0x00, 0x64, 0x00, 0x40, 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00}),
        {"LLC of IP", {0x00, 0x40, 0x06, 0x06, 0x03}, {}},
    };
}

// Headers behind which nothing can or must be read as IP.
inline std::vector<LinkHeaderSample> unreadable_link_header_samples() {
    const auto only = [](const char* what, const Frame& header) {
        return LinkHeaderSample{what, header, {}};
    };
    return {
        only("MACsec, encrypted", {0x88, 0xe5, 0x0c, 0, 0, 0, 0, 9, 0x08, 0x00}),
        only("MACsec, changed", {0x88, 0xe5, 0x04, 0, 0, 0, 0, 9, 0x08, 0x00}),
        only("MACsec of another version", {0x88, 0xe5, 0x80, 0, 0, 0, 0, 9, 0x08, 0x00}),
        only("MPLS, control word of a pseudowire", {0x88, 0x47, 0, 2, 1, 64, 0, 0, 0, 0}),
        only("PPPoE, end of a session", {0x88, 0x64, 0x11, 0xa7, 0, 42, 0, 42, 0, 0x21}),
        only("PPPoE discovery", {0x88, 0x63, 0x11, 0x00, 0, 42, 0, 42, 0, 0x21}),
        only("PPPoE, link control", {0x88, 0x64, 0x11, 0x00, 0, 42, 0, 42, 0xc0, 0x21}),
        only("SNAP of Cisco", {0, 0x40, 0xaa, 0xaa, 3, 0, 0, 0x0c, 0x08, 0x00}),
        only("spanning tree", {0, 0x26, 0x42, 0x42, 3, 0}),
        only("LLC of IP, not unnumbered", {0, 0x40, 0x06, 0x06, 0x7f}),
        only("NSH", {0x89, 0x4f, 0, 6, 1, 1, 0, 0, 1, 0xff}),
    };
}

}  // namespace portcullis::test
