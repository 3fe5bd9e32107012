#include "active-response/hold_script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace portcullis::active_response {
namespace {

using base::Cidr;

// Networks that are never held: the loopback, and the IPv6 prefix of all link-local addresses. (Not
// 169.254.0.0/16, whose addresses are like those of any LAN.)
constexpr const char* kAlwaysSpared[] = {"127.0.0.0/8", "::1", "fe80::/10"};

// The names of one family in the ruleset.
struct Family {
    char digit;
    const char* protocol;     // of the payload expressions
    const char* type;         // of the sets
    const char* of_protocol;  // a match of the family
    base::IpFamily family;
};
constexpr std::array kFamilies{
    Family{'4', "ip", "ipv4_addr", "meta nfproto ipv4", base::IpFamily::V4},
    Family{'6', "ip6", "ipv6_addr", "meta nfproto ipv6", base::IpFamily::V6},
};

bool is_of(const Cidr& cidr, base::IpFamily family) {
    return cidr.address.is_v4() == (family == base::IpFamily::V4);
}

std::string joined(const std::set<std::string>& texts) {
    return fmt::format("{}", fmt::join(texts, ", "));
}

Cidr first_address_of(const Cidr& network) {
    std::array<std::uint8_t, 16> bytes{};
    std::copy_n(network.address.data(), network.address.size(), bytes.begin());
    for (std::size_t i = 0; i < network.address.size(); ++i) {
        const int bits = std::clamp(network.prefix_length - static_cast<int>(8 * i), 0, 8);
        bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00 >> bits));
    }
    return {network.address.is_v4() ? base::IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]})
                                    : base::IpAddress::v6(bytes),
            network.prefix_length};
}

// Returns the networks without those inside others, since an interval set refuses overlaps.
std::set<std::string> networks_of(std::vector<Cidr> networks, base::IpFamily family) {
    std::transform(networks.begin(), networks.end(), networks.begin(), first_address_of);
    std::sort(networks.begin(), networks.end(), is_before);
    std::set<std::string> texts;
    const Cidr* last = nullptr;
    for (const auto& network : networks) {
        if (network.is_one_address() || !is_of(network, family) ||
            (last != nullptr && last->contains(network.address))) {
            continue;
        }
        last = &network;
        texts.insert(network.to_string());
    }
    return texts;
}

std::set<std::string> addresses_of(const std::vector<Cidr>& spared, base::IpFamily family) {
    std::set<std::string> texts;
    for (const auto& one : spared) {
        if (one.is_one_address() && is_of(one, family)) {
            texts.insert(one.address.to_string());
        }
    }
    return texts;
}

std::vector<Cidr> all_spared(const HoldSettings& settings) {
    std::vector<Cidr> spared = settings.spared;
    for (const char* text : kAlwaysSpared) {
        spared.push_back(*Cidr::parse(text));
    }
    return spared;
}

// The lists by the names of their sets.
std::vector<std::pair<std::string, std::set<std::string>>> lists_of(const HoldSettings& settings) {
    const auto spared = all_spared(settings);
    std::vector<std::pair<std::string, std::set<std::string>>> lists;
    for (const auto& family : kFamilies) {
        lists.emplace_back(fmt::format("spared{}", family.digit),
                           addresses_of(spared, family.family));
        lists.emplace_back(fmt::format("spared_nets{}", family.digit),
                           networks_of(spared, family.family));
    }
    lists.emplace_back("on_link6", networks_of(settings.on_link6, base::IpFamily::V6));
    return lists;
}

std::string mask_text(int prefix_length) {
    switch (prefix_length) {
        case 48:
            return "ffff:ffff:ffff::";
        case 56:
            return "ffff:ffff:ffff:ff00::";
        default:
            return "ffff:ffff:ffff:ffff::";
    }
}

// The bucket of a source has room for N - 1 ports. It refills as fast as pairs are forgotten, so
// that a source that probes the same N - 1 ports again and again is never held.
std::string limit_text(int ports) {
    const int before = std::max(ports - 1, 1);
    const auto window = static_cast<int>(kHoldWindow.count());
    return fmt::format("limit rate over {}/second burst {} packets", (before + window - 1) / window,
                       before);
}

// Writes the chains for one kind of target.
class Chains {
  public:
    Chains(const HoldSettings& settings, const HoldForm& form, const Family& family)
        : settings_(settings), form_(form), family_(family) {}

    // `mask` empty = whole addresses. `suffix` is a part of the names of the chains.
    std::string text(const std::string& mask, const std::string& suffix, bool has_on_link) const {
        const char d = family_.digit;
        const auto by = [&](const char* field) {
            return fmt::format("{} {}{}", family_.protocol, field,
                               mask.empty() ? "" : " & " + mask);
        };
        const std::string source = by("saddr");
        const std::string peer = by("daddr");
        const std::string stop = settings_.is_dry ? "counter return" : "counter drop";
        const std::string hold =
            fmt::format("counter{}", form_.logs ? fmt::format(" log group {} prefix \"hold\" "
                                                              "snaplen 64",
                                                              settings_.log_group)
                                                : "");
        const std::string crafted = limit_text(settings_.config.ports);
        const std::string connects = limit_text(settings_.config.connect_ports);
        const bool is_first = suffix.empty();  // the chain that all packets enter
        std::string rules = fmt::format("chain ask{}{} {{\n", d, suffix);
        if (is_first) {
            rules += d == '6' ? "frag frag-off != 0 return\n" : "";
            rules += spared("saddr");
            rules += has_on_link ? fmt::format("ip6 saddr @on_link6 goto ask{}_one\n", d) : "";
        }
        rules += fmt::format("{} @held{} {}\n", source, d, stop);
        if (form_.sees_sockets) {
            rules += fmt::format(
                "{0} . tcp dport @ports{1} update @ports{1} {{ {0} . tcp dport }} return\n"
                "socket transparent 0 return\n"
                "socket transparent 1 return\n"
                "add @ports{1} {{ {0} . tcp dport }} jump new{1}{2}\n"
                "}}\n"
                "chain new{1}{2} {{\n"
                "update @calls{1} {{ {0} {3} }} add @held{1} {{ {0} }} {4} return\n"
                "{5} tcp flags & (syn | fin) == syn return\n"
                "update @tries{1} {{ {0} {6} }} add @held{1} {{ {0} }} {4}\n",
                source, d, suffix, connects, hold,
                d == '4' ? "ip frag-off & 0x4000 == 0x4000" : "tcp doff > 6", crafted);
        }
        rules += "}\n";
        rules += fmt::format("chain refuse{}{} {{\n", d, suffix);
        if (is_first) {
            rules += spared("daddr");
            rules += has_on_link ? fmt::format("ip6 daddr @on_link6 goto refuse{}_one\n", d) : "";
        }
        rules += fmt::format("{} @held{} {}\n", peer, d, stop);
        if (!form_.sees_sockets) {
            rules += fmt::format(
                "tcp flags & ack == ack jump refuse_syn{0}{1}\n"
                "tcp flags & ack == ack return\n",
                d, suffix);
        }
        rules += fmt::format(
            "tcp sport >= {0} return\n"
            "tcp dport < {0} return\n"
            "{1} . tcp sport @ports{2} update @ports{2} {{ {1} . tcp sport }} return\n"
            "add @ports{2} {{ {1} . tcp sport }} update @tries{2} {{ {1} {3} }} "
            "add @held{2} {{ {1} }} {4}\n"
            "}}\n",
            settings_.first_local_port, peer, d, crafted, hold);
        if (!form_.sees_sockets) {
            rules += fmt::format(
                "chain refuse_syn{0}{1} {{\n"
                "{2} . tcp sport @ports{0} update @ports{0} {{ {2} . tcp sport }} return\n"
                "add @ports{0} {{ {2} . tcp sport }} update @calls{0} {{ {2} {3} }} "
                "add @held{0} {{ {2} }} {4}\n"
                "}}\n",
                d, suffix, peer, connects, hold);
        }
        return rules;
    }

  private:
    std::string spared(const char* field) const {
        return fmt::format("{0} {1} @spared{2} return\n{0} {1} @spared_nets{2} return\n",
                           family_.protocol, field, family_.digit);
    }

    const HoldSettings& settings_;
    const HoldForm& form_;
    const Family& family_;
};

}  // namespace

bool is_before(const Cidr& a, const Cidr& b) {
    return a.address != b.address ? a.address < b.address : a.prefix_length < b.prefix_length;
}

bool HoldSettings::has_rules_of(const HoldSettings& other) const {
    return config == other.config && is_dry == other.is_dry && log_group == other.log_group &&
           first_local_port == other.first_local_port;
}

bool HoldSettings::operator==(const HoldSettings& other) const {
    const auto is_same = [](const std::vector<Cidr>& a, const std::vector<Cidr>& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Cidr& x, const Cidr& y) {
            return x.address == y.address && x.prefix_length == y.prefix_length;
        });
    };
    return has_rules_of(other) && is_same(spared, other.spared) &&
           is_same(on_link6, other.on_link6);
}

std::vector<HoldForm> hold_forms(base::HoldMode mode) {
    switch (mode) {
        case base::HoldMode::No:
            return {};
        case base::HoldMode::Refused:
            return {{false, true}, {false, false}};
        case base::HoldMode::Yes:
            break;
    }
    return {{true, true}, {true, false}, {false, true}, {false, false}};
}

int ports_until_hold(const HoldSettings& settings, const HoldForm& form) {
    const auto& config = settings.config;
    return form.sees_sockets ? std::min(config.ports, config.connect_ports) : config.connect_ports;
}

std::string hold_lists_script(const HoldSettings& settings) {
    std::string script;
    for (const auto& [name, list] : lists_of(settings)) {
        script += fmt::format("flush set inet {} {}\n", kHoldTable, name);
        if (!list.empty()) {
            script +=
                fmt::format("add element inet {} {} {{ {} }}\n", kHoldTable, name, joined(list));
        }
    }
    return script;
}

std::string hold_removal_script() {
    return fmt::format("add table inet {0}\ndelete table inet {0}\n", kHoldTable);
}

std::string hold_script(const HoldSettings& settings, const HoldForm& form) {
    const auto& config = settings.config;
    const std::string mask = config.ipv6_prefix == 128 ? "" : mask_text(config.ipv6_prefix);
    const auto window = kHoldWindow.count();
    std::string script = hold_removal_script() + fmt::format("table inet {} {{\n", kHoldTable);
    for (const auto& [name, list] : lists_of(settings)) {
        const bool is_of_networks = name.rfind("spared", 0) != 0 || name.find("nets") != name.npos;
        script += fmt::format("set {} {{ type ipv{}_addr;{}{} }}\n", name, name.back(),
                              is_of_networks ? " flags interval;" : "",
                              list.empty() ? "" : " elements = { " + joined(list) + " };");
    }
    std::string forward;
    for (const auto& family : kFamilies) {
        const char d = family.digit;
        script += fmt::format(
            "set ports{0} {{ type {1} . inet_service; flags dynamic, timeout; timeout {2}s; "
            "gc-interval 1s; size 131072; }}\n"
            "set calls{0} {{ type {1}; flags dynamic, timeout; timeout {2}s; gc-interval 1s; "
            "size 131072; }}\n"
            "set tries{0} {{ type {1}; flags dynamic, timeout; timeout {2}s; gc-interval 1s; "
            "size 131072; }}\n"
            "set held{0} {{ type {1}; flags dynamic, timeout; timeout {3}s; size {4}; }}\n",
            d, family.type, window, config.seconds.count(), kMaxHeldSources);
        const Chains chains(settings, form, family);
        const bool by_prefix = d == '6' && !mask.empty();
        // nft(8) requires that the target of a jump exists, so the last chains come first.
        if (by_prefix) {
            script += chains.text("", "_one", false);
        }
        script += chains.text(by_prefix ? mask : "", "", by_prefix);
        const auto held = [&](const std::string& key) {
            forward += fmt::format(
                "tcp flags & (ack | rst) == 0 {0} saddr{1} @held{2} {0} saddr != @spared{2} "
                "{0} saddr != @spared_nets{2} counter{3}\n",
                family.protocol, key, d, settings.is_dry ? "" : " drop");
        };
        held(by_prefix ? " & " + mask : "");
        if (by_prefix) {
            held("");
        }
    }
    script +=
        "chain input {\n"
        "type filter hook input priority -310; policy accept;\n";
    for (const auto& family : kFamilies) {
        script += fmt::format("tcp flags & (ack | rst) == 0 iif != lo {} jump ask{}\n",
                              family.of_protocol, family.digit);
    }
    script += "}\nchain forward {\ntype filter hook forward priority -310; policy accept;\n" +
              forward +
              "}\nchain output {\n"
              "type filter hook output priority 310; policy accept;\n";
    for (const auto& family : kFamilies) {
        if (!form.sees_sockets) {
            // Only the answer to a segment without ACK has the sequence number 0 (RFC 9293,
            // 3.10.7.1); a connection that is aborted has its own.
            script += fmt::format(
                "tcp flags & (rst | ack) == rst | ack tcp sequence 0 oif != lo {} jump refuse{}\n",
                family.of_protocol, family.digit);
        }
        script += fmt::format("tcp flags & (rst | ack) == rst oif != lo {} jump refuse{}\n",
                              family.of_protocol, family.digit);
    }
    return script + "}\n}\n";
}

Cidr hold_target_of(const base::IpAddress& source, const HoldSettings& settings) {
    const bool is_on_link =
        std::any_of(settings.on_link6.begin(), settings.on_link6.end(),
                    [&](const Cidr& network) { return network.contains(source); });
    if (source.is_v4() || is_on_link) {
        return source;
    }
    return first_address_of({source, settings.config.ipv6_prefix});
}

}  // namespace portcullis::active_response
