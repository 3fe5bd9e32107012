#include "active-response/hold_table.hpp"

#include <endian.h>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "active-response/hold_script.hpp"
#include "active-response/nf_netlink.hpp"

namespace portcullis::active_response {
namespace {

// The table's name is attribute 1 of all messages of nftables.
static_assert(NFTA_TABLE_NAME == 1 && NFTA_RULE_TABLE == 1 && NFTA_CHAIN_TABLE == 1 &&
              NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1);

bool is_of_table(const nlmsghdr& message) {
    bool result = false;
    for_each_attribute(message, [&](const nlattr& attribute) {
        result =
            result || (type_of(attribute) == NFTA_TABLE_NAME && text_of(attribute) == kHoldTable);
    });
    return result;
}

std::string hex_of(const nlattr& attribute) {
    const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(&attribute));
    return fmt::format("{:02x}",
                       fmt::join(bytes, bytes + mnl_attr_get_payload_len(&attribute), ""));
}

std::string text_or_hex_of(const nlattr& attribute) {
    return mnl_attr_validate(&attribute, MNL_TYPE_NUL_STRING) >= 0 ? mnl_attr_get_str(&attribute)
                                                                   : hex_of(attribute);
}

// One expression of a rule. The form does not include the numbers of a counter.
std::string expression_text(const nlattr& element) {
    std::string name;
    std::string data;
    for_each_nested(element, [&](const nlattr& attribute) {
        switch (type_of(attribute)) {
            case NFTA_EXPR_NAME:
                name = text_or_hex_of(attribute);
                break;
            case NFTA_EXPR_DATA:
                data = hex_of(attribute);
                break;
            default:
                break;
        }
    });
    return " " + name + (name == "counter" ? "" : ":" + data);
}

std::string rule_text(const nlmsghdr& message) {
    std::string text = "rule";
    for_each_attribute(message, [&](const nlattr& attribute) {
        switch (type_of(attribute)) {
            case NFTA_RULE_CHAIN:
                text += " " + text_or_hex_of(attribute);
                break;
            case NFTA_RULE_EXPRESSIONS:
                for_each_nested(attribute,
                                [&](const nlattr& element) { text += expression_text(element); });
                break;
            default:
                break;
        }
    });
    return text;
}

// The attributes of `types`, in their order within the message.
std::string attributes_text(const nlmsghdr& message, std::string text,
                            std::initializer_list<int> types) {
    for_each_attribute(message, [&](const nlattr& attribute) {
        const int type = type_of(attribute);
        if (std::find(types.begin(), types.end(), type) != types.end()) {
            text += fmt::format(" {}={}", type, hex_of(attribute));
        }
    });
    return text;
}

// Calls `take(const nlattr&)` for each element of a message NFT_MSG_NEWSETELEM.
template <typename Take>
void for_each_element(const nlmsghdr& message, Take take) {
    for_each_attribute(message, [&](const nlattr& attribute) {
        if (type_of(attribute) == NFTA_SET_ELEM_LIST_ELEMENTS) {
            for_each_nested(attribute, take);
        }
    });
}

// The bytes of an element's key; nullopt = it is not of this size.
template <std::size_t Size>
std::optional<std::array<std::uint8_t, Size>> key_of(const nlattr& key) {
    std::optional<std::array<std::uint8_t, Size>> result;
    for_each_nested(key, [&](const nlattr& value) {
        if (type_of(value) == NFTA_DATA_VALUE && mnl_attr_get_payload_len(&value) >= Size) {
            result.emplace();
            std::memcpy(result->data(), mnl_attr_get_payload(&value), Size);
        }
    });
    return result;
}

bool has_host_bits(const std::array<std::uint8_t, 16>& bytes, int prefix_length) {
    return std::any_of(bytes.begin() + prefix_length / 8, bytes.end(),
                       [](std::uint8_t byte) { return byte != 0; });
}

std::optional<Held> held_of(const nlattr& element, bool is_v4, int ipv6_prefix) {
    std::optional<Held> held;
    std::optional<std::chrono::seconds> left;
    for_each_nested(element, [&](const nlattr& attribute) {
        const int type = type_of(attribute);
        if (type == NFTA_SET_ELEM_KEY && is_v4) {
            if (const auto bytes = key_of<4>(attribute)) {
                held = Held{base::IpAddress::v4(*bytes), base::BlockKind::Soft, {}};
            }
        } else if (type == NFTA_SET_ELEM_KEY) {
            if (const auto bytes = key_of<16>(attribute)) {
                // A key without host bits is a network. (The address of this form belongs to the
                // routers of the network, RFC 4291 section 2.6.1.)
                const base::Cidr target(base::IpAddress::v6(*bytes),
                                        has_host_bits(*bytes, ipv6_prefix) ? 128 : ipv6_prefix);
                held = Held{target, base::BlockKind::Soft, {}};
            }
        } else if (type == NFTA_SET_ELEM_EXPIRATION &&
                   mnl_attr_validate(&attribute, MNL_TYPE_U64) >= 0) {
            left = std::chrono::ceil<std::chrono::seconds>(
                std::chrono::milliseconds(be64toh(mnl_attr_get_u64(&attribute))));
        }
    });
    if (held) {
        held->left = left;
    }
    return held;
}

Attributes set_message_of(const char* set) {
    return Attributes().text(NFTA_TABLE_NAME, kHoldTable).text(NFTA_SET_ELEM_LIST_SET, set);
}

// A message about one element of the set of held sources.
Attributes held_message(const base::Cidr& target) {
    const auto key =
        Attributes().bytes(NFTA_DATA_VALUE, target.address.data(), target.address.size());
    const auto element = Attributes().nest(NFTA_SET_ELEM_KEY, key);
    return set_message_of(target.address.is_v4() ? "held4" : "held6")
        .nest(NFTA_SET_ELEM_LIST_ELEMENTS, Attributes().nest(NFTA_LIST_ELEM, element));
}

base::Result<void> not_released(int error) {
    return failure("not-unblocked", "the kernel does not end the hold: " + explain(error));
}

}  // namespace

base::Result<HoldTable> HoldTable::open() {
    auto socket = NfSocket::open(NfSocket::Waits::Yes);
    if (!socket) {
        return base::fail(std::move(socket.error()));
    }
    return HoldTable(std::move(*socket));
}

int HoldTable::dump(int type, const Attributes& attributes,
                    const std::function<void(const nlmsghdr&)>& take) {
    const int error = socket_.ask(type, NLM_F_DUMP, attributes, take);
    // Changes of other tables interrupt a dump too. HoldWatch hears of those of this one.
    return error == EINTR ? 0 : error;
}

base::Result<std::string> HoldTable::form() {
    std::string rules;
    std::set<std::string> parts;
    int error = 0;
    const auto collect = [&](int type, const char* what, std::initializer_list<int> attributes) {
        const int result = dump(type, {}, [&](const nlmsghdr& message) {
            if (is_of_table(message)) {
                parts.insert(attributes_text(message, what, attributes));
            }
        });
        error = error != 0 ? error : result;
    };
    collect(NFT_MSG_GETTABLE, "table", {NFTA_TABLE_FLAGS});
    if (error == 0 && parts.empty()) {
        return std::string();
    }
    collect(
        NFT_MSG_GETCHAIN, "chain",
        {NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE, NFTA_CHAIN_FLAGS});
    collect(NFT_MSG_GETSET, "set",
            {NFTA_SET_NAME, NFTA_SET_FLAGS, NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN, NFTA_SET_TIMEOUT,
             NFTA_SET_GC_INTERVAL, NFTA_SET_DESC});
    const auto of_table = Attributes().text(NFTA_RULE_TABLE, kHoldTable);
    const int result = dump(NFT_MSG_GETRULE, of_table, [&](const nlmsghdr& message) {
        if (is_of_table(message)) {
            rules += rule_text(message) + "\n";
        }
    });
    error = error != 0 ? error : result;
    if (error != 0 && error != ENOENT) {
        return failure("not-read", "the kernel does not show the table: " + explain(error));
    }
    return fmt::format("{}\n{}", fmt::join(parts, "\n"), rules);
}

base::Result<std::string> HoldTable::lists() {
    std::string text;
    for (const char* set : {"spared4", "spared_nets4", "spared6", "spared_nets6", "on_link6"}) {
        std::set<std::string> elements;
        const int error =
            dump(NFT_MSG_GETSETELEM, set_message_of(set), [&](const nlmsghdr& message) {
                for_each_element(message,
                                 [&](const nlattr& element) { elements.insert(hex_of(element)); });
            });
        if (error != 0 && error != ENOENT) {
            return failure("not-read", "the kernel does not show the lists: " + explain(error));
        }
        text += fmt::format("{}: {}\n", set, fmt::join(elements, " "));
    }
    return text;
}

base::Result<std::vector<Held>> HoldTable::held(int ipv6_prefix) {
    std::vector<Held> all;
    for (const bool is_v4 : {true, false}) {
        const auto set = set_message_of(is_v4 ? "held4" : "held6");
        const int error = dump(NFT_MSG_GETSETELEM, set, [&](const nlmsghdr& message) {
            for_each_element(message, [&](const nlattr& element) {
                if (const auto held = held_of(element, is_v4, ipv6_prefix)) {
                    all.push_back(*held);
                }
            });
        });
        if (error != 0 && error != ENOENT) {
            return failure("not-read", "the kernel does not show the holds: " + explain(error));
        }
    }
    return all;
}

std::size_t HoldTable::pair_count() {
    std::size_t count = 0;
    for (const char* set : {"ports4", "ports6"}) {
        dump(NFT_MSG_GETSETELEM, set_message_of(set), [&](const nlmsghdr& message) {
            for_each_element(message, [&](const nlattr&) { ++count; });
        });
    }
    return count;
}

base::Result<void> HoldTable::release(const base::Cidr& target) {
    const auto element = held_message(target);
    // A transaction costs up to 20 ms, even one that fails; a question costs some microseconds.
    if (const int missing =
            socket_.ask(NFT_MSG_GETSETELEM, NLM_F_ACK, element, [](const nlmsghdr&) {});
        missing != 0) {
        return missing == ENOENT ? base::Result<void>() : not_released(missing);
    }
    Transaction transaction(socket_, std::nullopt);
    transaction.add(NFT_MSG_DELSETELEM, 0, element);
    const int error = transaction.commit();
    return error == 0 || error == ENOENT ? base::Result<void>() : not_released(error);
}

base::Result<HoldWatch> HoldWatch::open() {
    auto socket = NfSocket::open(NfSocket::Waits::No);
    if (!socket) {
        return base::fail(std::move(socket.error()));
    }
    constexpr int kNewsQueueBytes = 1 << 20;
    ::setsockopt(socket->fd(), SOL_SOCKET, SO_RCVBUFFORCE, &kNewsQueueBytes,
                 sizeof kNewsQueueBytes);
    int group = NFNLGRP_NFTABLES;
    if (mnl_socket_setsockopt(socket->get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
        return failure("no-netlink", "cannot follow nftables: " + explain(errno));
    }
    return HoldWatch(std::move(*socket));
}

bool HoldWatch::read_news() {
    bool has_news = false;
    for (;;) {
        const int error = socket_.receive([&](const nlmsghdr& message) {
            has_news = has_news || (nf_type_of(message) && is_of_table(message));
        });
        if (error == ENOBUFS) {
            has_news = true;  // some were lost: look
        } else if (error != 0) {
            return has_news;
        }
    }
}

}  // namespace portcullis::active_response
