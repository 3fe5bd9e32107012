#include "active-response/hold_table.hpp"

#include <arpa/inet.h>
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
#include <ctime>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "active-response/attributes.hpp"
#include "active-response/hold_script.hpp"
#include "active-response/nf_netlink.hpp"

namespace portcullis::active_response {
namespace {

constexpr timeval kTableReplyLimit{5, 0};
// The table's name is attribute 1 of all messages of nftables.
static_assert(NFTA_TABLE_NAME == 1 && NFTA_RULE_TABLE == 1 && NFTA_CHAIN_TABLE == 1 &&
              NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1);

bool is_text(const nlattr* attribute, const char* text) {
    return mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0 &&
           std::strcmp(mnl_attr_get_str(attribute), text) == 0;
}

bool is_of_table(const nlmsghdr* message) {
    bool result = false;
    for_each_attribute_of(message, sizeof(nfgenmsg), [&](const nlattr* attribute) {
        result = result || (mnl_attr_get_type(attribute) == NFTA_TABLE_NAME &&
                            is_text(attribute, kHoldTable));
    });
    return result;
}

std::string hex_of(const nlattr* attribute) {
    const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
    return fmt::format("{:02x}", fmt::join(bytes, bytes + mnl_attr_get_payload_len(attribute), ""));
}

std::string text_or_hex_of(const nlattr* attribute) {
    return mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0 ? mnl_attr_get_str(attribute)
                                                                  : hex_of(attribute);
}

// One expression of a rule. The form does not include the numbers of a counter.
std::string expression_text(const nlattr* element) {
    std::string name;
    std::string data;
    for_each_attribute_in(element, [&](const nlattr* attribute) {
        switch (mnl_attr_get_type(attribute)) {
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

std::string rule_text(const nlmsghdr* message) {
    std::string text = "rule";
    for_each_attribute_of(message, sizeof(nfgenmsg), [&](const nlattr* attribute) {
        switch (mnl_attr_get_type(attribute)) {
            case NFTA_RULE_CHAIN:
                text += " " + text_or_hex_of(attribute);
                break;
            case NFTA_RULE_EXPRESSIONS:
                for_each_attribute_in(
                    attribute, [&](const nlattr* element) { text += expression_text(element); });
                break;
            default:
                break;
        }
    });
    return text;
}

// The attributes of `types`, in their order within the message.
std::string attributes_text(const nlmsghdr* message, std::string text,
                            std::initializer_list<int> types) {
    for_each_attribute_of(message, sizeof(nfgenmsg), [&](const nlattr* attribute) {
        const int type = mnl_attr_get_type(attribute);
        if (std::find(types.begin(), types.end(), type) != types.end()) {
            text += fmt::format(" {}={}", type, hex_of(attribute));
        }
    });
    return text;
}

// Calls `take(const nlattr*)` for each element of a message NFT_MSG_NEWSETELEM.
template <typename Take>
void for_each_element(const nlmsghdr* message, Take take) {
    for_each_attribute_of(message, sizeof(nfgenmsg), [&](const nlattr* attribute) {
        if (mnl_attr_get_type(attribute) == NFTA_SET_ELEM_LIST_ELEMENTS) {
            for_each_attribute_in(attribute, take);
        }
    });
}

// The bytes of an element's key; nullopt = it is not of this size.
template <std::size_t Size>
std::optional<std::array<std::uint8_t, Size>> key_of(const nlattr* key) {
    std::optional<std::array<std::uint8_t, Size>> result;
    for_each_attribute_in(key, [&](const nlattr* value) {
        if (mnl_attr_get_type(value) == NFTA_DATA_VALUE &&
            mnl_attr_get_payload_len(value) >= Size) {
            result.emplace();
            std::memcpy(result->data(), mnl_attr_get_payload(value), Size);
        }
    });
    return result;
}

bool has_host_bits(const std::array<std::uint8_t, 16>& bytes, int prefix_length) {
    return std::any_of(bytes.begin() + prefix_length / 8, bytes.end(),
                       [](std::uint8_t byte) { return byte != 0; });
}

std::optional<Held> held_of(const nlattr* element, bool is_v4, int ipv6_prefix) {
    std::optional<Held> held;
    std::optional<std::chrono::seconds> left;
    for_each_attribute_in(element, [&](const nlattr* attribute) {
        const int type = mnl_attr_get_type(attribute);
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
                   mnl_attr_validate(attribute, MNL_TYPE_U64) >= 0) {
            left = std::chrono::ceil<std::chrono::seconds>(
                std::chrono::milliseconds(be64toh(mnl_attr_get_u64(attribute))));
        }
    });
    if (held) {
        held->left = left;
    }
    return held;
}

nlmsghdr* begin_message(void* memory, int type, int flags, std::uint32_t sequence, int family,
                        const char* set) {
    auto* header = mnl_nlmsg_put_header(memory);
    header->nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | type);
    header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header->nlmsg_seq = sequence;
    auto* general = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
    general->nfgen_family = static_cast<std::uint8_t>(family);
    general->version = NFNETLINK_V0;
    mnl_attr_put_strz(header, NFTA_TABLE_NAME, kHoldTable);
    if (set != nullptr) {
        mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, set);
    }
    return header;
}

base::Result<void> not_released(int error) {
    return failure("not-unblocked", "the kernel does not end the hold: " + explain(error));
}

// A message about one element of the set of held sources, which is acknowledged.
nlmsghdr* begin_element_message(void* buffer, int type, std::uint32_t sequence,
                                const base::Cidr& target) {
    auto* header = begin_message(buffer, type, NLM_F_ACK, sequence, NFPROTO_INET,
                                 target.address.is_v4() ? "held4" : "held6");
    auto* elements = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
    auto* element = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
    auto* key = mnl_attr_nest_start(header, NFTA_SET_ELEM_KEY);
    mnl_attr_put(header, NFTA_DATA_VALUE, target.address.size(), target.address.data());
    mnl_attr_nest_end(header, key);
    mnl_attr_nest_end(header, element);
    mnl_attr_nest_end(header, elements);
    return header;
}

void put_mark(mnl_nlmsg_batch* batch, std::uint16_t type, std::uint32_t sequence) {
    auto* header = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_seq = sequence;
    auto* general = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
    general->version = NFNETLINK_V0;
    general->res_id = htons(NFNL_SUBSYS_NFTABLES);
    mnl_nlmsg_batch_next(batch);
}

// The errno of a message that ends an answer, 0 = it ends well; nullopt = it does not end it.
std::optional<int> end_of(const nlmsghdr* header) {
    if (header->nlmsg_type == NLMSG_DONE) {
        return 0;
    }
    if (header->nlmsg_type == NLMSG_ERROR && header->nlmsg_len >= NLMSG_LENGTH(sizeof(nlmsgerr))) {
        return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header))->error;
    }
    return std::nullopt;
}

}  // namespace

void HoldTable::CloseSocket::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
void HoldWatch::CloseSocket::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

base::Result<HoldTable> HoldTable::open() {
    auto* socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (socket == nullptr) {
        return failure("no-netlink", "no netlink socket: " + explain(errno));
    }
    HoldTable table(socket);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        return failure("no-netlink", "no netlink socket: " + explain(errno));
    }
    ::setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &kTableReplyLimit,
                 sizeof kTableReplyLimit);
    table.sequence_ = static_cast<std::uint32_t>(std::time(nullptr));
    return table;
}

template <typename Take>
int HoldTable::read_answer(Take take) {
    alignas(nlmsghdr) std::array<char, 32768> buffer;
    for (;;) {
        const auto got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return errno == EAGAIN ? ETIMEDOUT : errno;
        }
        int left = static_cast<int>(got);
        for (const auto* each = reinterpret_cast<const nlmsghdr*>(buffer.data());
             mnl_nlmsg_ok(each, left); each = mnl_nlmsg_next(each, &left)) {
            if (each->nlmsg_seq != sequence_) {
                continue;
            }
            if (const auto end = end_of(each)) {
                return *end;
            }
            take(each);
        }
    }
}

template <typename Take>
int HoldTable::ask(int type, const char* set, Take take) {
    alignas(nlmsghdr) std::array<char, 1024> buffer{};
    const auto* header =
        begin_message(buffer.data(), type, NLM_F_DUMP, ++sequence_, NFPROTO_INET, set);
    if (mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0) {
        return errno;
    }
    return read_answer(take);
}

base::Result<std::string> HoldTable::form() {
    std::string rules;
    std::set<std::string> parts;
    int error = 0;
    const auto collect = [&](int type, const char* what, std::initializer_list<int> attributes) {
        const int result = ask(type, nullptr, [&](const nlmsghdr* message) {
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
    const int result = ask(NFT_MSG_GETRULE, nullptr, [&](const nlmsghdr* message) {
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
        const int error = ask(NFT_MSG_GETSETELEM, set, [&](const nlmsghdr* message) {
            for_each_element(message,
                             [&](const nlattr* element) { elements.insert(hex_of(element)); });
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
        const int error =
            ask(NFT_MSG_GETSETELEM, is_v4 ? "held4" : "held6", [&](const nlmsghdr* message) {
                for_each_element(message, [&](const nlattr* element) {
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
        ask(NFT_MSG_GETSETELEM, set, [&](const nlmsghdr* message) {
            for_each_element(message, [&](const nlattr*) { ++count; });
        });
    }
    return count;
}

int HoldTable::find(const base::Cidr& target) {
    alignas(nlmsghdr) std::array<char, 1024> buffer{};
    const auto* header =
        begin_element_message(buffer.data(), NFT_MSG_GETSETELEM, ++sequence_, target);
    return mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0
               ? errno
               : read_answer([](const nlmsghdr*) {});
}

base::Result<void> HoldTable::release(const base::Cidr& target) {
    // A transaction costs up to 20 ms, even one that fails; a question costs some microseconds.
    if (const int missing = find(target); missing != 0) {
        return missing == ENOENT ? base::Result<void>() : not_released(missing);
    }
    alignas(nlmsghdr) std::array<char, 4096> buffer{};
    std::unique_ptr<mnl_nlmsg_batch, void (*)(mnl_nlmsg_batch*)> batch(
        mnl_nlmsg_batch_start(buffer.data(), buffer.size()), mnl_nlmsg_batch_stop);
    if (batch == nullptr) {
        return failure("not-unblocked", explain(ENOMEM));
    }
    put_mark(batch.get(), NFNL_MSG_BATCH_BEGIN, sequence_ + 1);
    begin_element_message(mnl_nlmsg_batch_current(batch.get()), NFT_MSG_DELSETELEM, sequence_ + 2,
                          target);
    mnl_nlmsg_batch_next(batch.get());
    put_mark(batch.get(), NFNL_MSG_BATCH_END, sequence_ + 3);
    sequence_ += 2;  // the message that is acknowledged
    int error = 0;
    if (mnl_socket_sendto(socket_.get(), mnl_nlmsg_batch_head(batch.get()),
                          mnl_nlmsg_batch_size(batch.get())) < 0) {
        error = errno;
    } else {
        error = read_answer([](const nlmsghdr*) {});
    }
    ++sequence_;
    return error == 0 || error == ENOENT ? base::Result<void>() : not_released(error);
}

base::Result<HoldWatch> HoldWatch::open() {
    auto* socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket == nullptr) {
        return failure("no-netlink", "no netlink socket: " + explain(errno));
    }
    HoldWatch watch(socket);
    constexpr int kNewsQueueBytes = 1 << 20;
    ::setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &kNewsQueueBytes,
                 sizeof kNewsQueueBytes);
    int group = NFNLGRP_NFTABLES;
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
        return failure("no-netlink", "cannot follow nftables: " + explain(errno));
    }
    return watch;
}

int HoldWatch::fd() const { return mnl_socket_get_fd(socket_.get()); }

bool HoldWatch::read_news() {
    bool has_news = false;
    alignas(nlmsghdr) std::array<char, 65536> buffer;
    for (;;) {
        const auto got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == ENOBUFS) {
            has_news = true;  // some were lost: look
            continue;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return has_news;
        }
        int left = static_cast<int>(got);
        for (const auto* each = reinterpret_cast<const nlmsghdr*>(buffer.data());
             mnl_nlmsg_ok(each, left); each = mnl_nlmsg_next(each, &left)) {
            has_news =
                has_news || ((each->nlmsg_type >> 8) == NFNL_SUBSYS_NFTABLES && is_of_table(each));
        }
    }
}

}  // namespace portcullis::active_response
