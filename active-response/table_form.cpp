#include "active-response/table_form.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "active-response/table_rules.hpp"

namespace portcullis::active_response {
namespace {

using base::BlockKind;
using base::IpFamily;

constexpr int kReadAttempts = 10;
// The numbers of the types of keys in nft(8).
constexpr std::uint32_t kTypeIpv4Address = 7;
constexpr std::uint32_t kTypeIpv6Address = 8;

// --- Descriptions: the same text for a message that is sent and for the kernel's dump.

std::string hex(const void* data, std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) {
        text += fmt::format("{:02x}", static_cast<const unsigned char*>(data)[i]);
    }
    return text;
}

std::string describe_leaf(const nlattr& attribute) {
    return hex(mnl_attr_get_payload(&attribute), mnl_attr_get_payload_len(&attribute));
}

std::string joined(const std::map<int, std::string>& parts) {
    std::string text;
    for (const auto& [type, part] : parts) {
        text += fmt::format(" {}={}", type, part);
    }
    return text;
}

// NFTA_DATA_VALUE or NFTA_DATA_VERDICT.
std::string describe_data(const nlattr& nest) {
    std::map<int, std::string> parts;
    for_each_nested(nest, [&](const nlattr& attribute) {
        if (type_of(attribute) == NFTA_DATA_VERDICT) {
            std::map<int, std::string> inner;
            for_each_nested(attribute, [&](const nlattr& each) {
                inner[type_of(each)] = type_of(each) == NFTA_VERDICT_CHAIN
                                           ? std::string(text_of(each))
                                           : describe_leaf(each);
            });
            parts[type_of(attribute)] = joined(inner);
        } else {
            parts[type_of(attribute)] = describe_leaf(attribute);
        }
    });
    return "{" + joined(parts) + " }";
}

bool holds_data(std::string_view expression, int type) {
    return (expression == "cmp" && type == NFTA_CMP_DATA) ||
           (expression == "immediate" && type == NFTA_IMMEDIATE_DATA) ||
           (expression == "bitwise" && (type == NFTA_BITWISE_MASK || type == NFTA_BITWISE_XOR));
}

// The kernel dumps attributes that were not sent. Those are numbers that are 0.
std::string describe_expression(std::string_view name, const void* data, std::size_t size) {
    std::map<int, std::string> parts;
    for_each_attribute(data, size, [&](const nlattr& attribute) {
        const int type = type_of(attribute);
        if (holds_data(name, type)) {
            parts[type] = describe_data(attribute);
        } else if (mnl_attr_get_payload_len(&attribute) != sizeof(std::uint32_t) ||
                   u32_of(attribute) != 0) {
            parts[type] = describe_leaf(attribute);
        }
    });
    return std::string(name) + joined(parts);
}

std::string describe_rule(const nlattr& expressions) {
    std::string text;
    for_each_nested(expressions, [&](const nlattr& element) {
        std::string name;
        const nlattr* data = nullptr;
        for_each_nested(element, [&](const nlattr& attribute) {
            if (type_of(attribute) == NFTA_EXPR_NAME) {
                name = text_of(attribute);
            } else if (type_of(attribute) == NFTA_EXPR_DATA) {
                data = &attribute;
            }
        });
        text += "[ " +
                (data == nullptr ? name
                                 : describe_expression(name, mnl_attr_get_payload(data),
                                                       mnl_attr_get_payload_len(data))) +
                " ]";
    });
    return text;
}

std::string describe_hook(std::uint32_t hook, std::int32_t priority, std::string_view type,
                          std::uint32_t policy) {
    return fmt::format("{} hook {} priority {} policy {}", type, hook, priority, policy);
}
// Of a chain that is only a target of jumps.
constexpr const char* kNoHook = "no hook";

struct NamedForm {
    std::string table;
    std::string name;
    std::string form;
};

NamedForm chain_in(const nlmsghdr& header) {
    NamedForm chain;
    bool has_hook = false;
    std::uint32_t hook = 0;
    std::uint32_t priority = 0;
    std::uint32_t policy = 0;
    std::uint32_t flags = 0;
    std::string type;
    for_each_attribute(header, [&](const nlattr& attribute) {
        switch (type_of(attribute)) {
            case NFTA_CHAIN_TABLE:
                chain.table = text_of(attribute);
                break;
            case NFTA_CHAIN_NAME:
                chain.name = text_of(attribute);
                break;
            case NFTA_CHAIN_TYPE:
                type = text_of(attribute);
                break;
            case NFTA_CHAIN_POLICY:
                policy = u32_of(attribute);
                break;
            case NFTA_CHAIN_FLAGS:
                flags = u32_of(attribute) & ~static_cast<std::uint32_t>(NFT_CHAIN_BASE);
                break;
            case NFTA_CHAIN_HOOK:
                has_hook = true;
                for_each_nested(attribute, [&](const nlattr& each) {
                    if (type_of(each) == NFTA_HOOK_HOOKNUM) {
                        hook = u32_of(each);
                    } else if (type_of(each) == NFTA_HOOK_PRIORITY) {
                        priority = u32_of(each);
                    } else {
                        flags |= 0x80000000;  // of a device
                    }
                });
                break;
            default:
                break;
        }
    });
    chain.form =
        has_hook ? describe_hook(hook, static_cast<std::int32_t>(priority), type, policy) : kNoHook;
    if (flags != 0) {
        chain.form += fmt::format(" flags {:x}", flags);
    }
    return chain;
}

// `form` empty = the set has the required form.
NamedForm set_in(const nlmsghdr& header) {
    NamedForm set;
    std::uint32_t flags = 0;
    std::uint32_t key_size = 0;
    std::uint32_t size = 0;
    std::uint64_t timeout = 0;
    for_each_attribute(header, [&](const nlattr& attribute) {
        switch (type_of(attribute)) {
            case NFTA_SET_TABLE:
                set.table = text_of(attribute);
                break;
            case NFTA_SET_NAME:
                set.name = text_of(attribute);
                break;
            case NFTA_SET_FLAGS:
                flags = u32_of(attribute);
                break;
            case NFTA_SET_KEY_LEN:
                key_size = u32_of(attribute);
                break;
            case NFTA_SET_TIMEOUT:
                timeout = u64_of(attribute);
                break;
            case NFTA_SET_DESC:
                for_each_nested(attribute, [&](const nlattr& each) {
                    if (type_of(each) == NFTA_SET_DESC_SIZE) {
                        size = u32_of(each);
                    } else if (type_of(each) == NFTA_SET_DESC_CONCAT) {
                        flags |= 0x80000000;
                    }
                });
                break;
            default:
                break;
        }
    });
    const auto id = set_named(set.name);
    if (!id || flags != NFT_SET_TIMEOUT || key_size != id->address_size() || size != kSetSize ||
        timeout != 0) {
        set.form = "another";
    }
    return set;
}

base::Cidr cidr_of(const std::uint8_t* bytes, const SetId& set) {
    if (set.family == IpFamily::V4) {
        return {base::IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}), set.prefix_length};
    }
    std::array<std::uint8_t, 16> address{};
    std::copy_n(bytes, address.size(), address.begin());
    return {base::IpAddress::v6(address), set.prefix_length};
}

std::optional<Held> held_in(const nlattr& element, const SetId& set) {
    std::optional<Held> held;
    std::optional<std::chrono::seconds> left;
    bool is_end_of_interval = false;
    for_each_nested(element, [&](const nlattr& attribute) {
        switch (type_of(attribute)) {
            case NFTA_SET_ELEM_KEY:
                for_each_nested(attribute, [&](const nlattr& each) {
                    if (type_of(each) == NFTA_DATA_VALUE &&
                        mnl_attr_get_payload_len(&each) >= set.address_size()) {
                        held = Held{
                            cidr_of(static_cast<const std::uint8_t*>(mnl_attr_get_payload(&each)),
                                    set),
                            set.block, std::nullopt};
                    }
                });
                break;
            case NFTA_SET_ELEM_EXPIRATION:
                left = std::chrono::ceil<std::chrono::seconds>(
                    std::chrono::milliseconds(u64_of(attribute)));
                break;
            case NFTA_SET_ELEM_FLAGS:
                is_end_of_interval = (u32_of(attribute) & NFT_SET_ELEM_INTERVAL_END) != 0;
                break;
            default:
                break;
        }
    });
    if (!held || is_end_of_interval) {
        return std::nullopt;
    }
    held->left = left;
    return held;
}

Attributes new_set_message(const SetId& set, std::uint32_t id) {
    const bool is_v4 = set.family == IpFamily::V4;
    return set_message(set)
        .u32(NFTA_SET_FLAGS, NFT_SET_TIMEOUT)
        .u32(NFTA_SET_KEY_TYPE, is_v4 ? kTypeIpv4Address : kTypeIpv6Address)
        .u32(NFTA_SET_KEY_LEN, static_cast<std::uint32_t>(set.address_size()))
        .u32(NFTA_SET_ID, id)
        .nest(NFTA_SET_DESC, Attributes().u32(NFTA_SET_DESC_SIZE, kSetSize));
}

Attributes chain_message(std::string_view name) {
    return Attributes().text(NFTA_CHAIN_TABLE, kTable).text(NFTA_CHAIN_NAME, name);
}

Attributes new_chain_message(const ChainForm& chain) {
    Attributes message = chain_message(chain.name);
    if (chain.hook >= 0) {
        message
            .nest(NFTA_CHAIN_HOOK,
                  Attributes()
                      .u32(NFTA_HOOK_HOOKNUM, static_cast<std::uint32_t>(chain.hook))
                      .u32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(kChainPriority)))
            .u32(NFTA_CHAIN_POLICY, NF_ACCEPT)
            .text(NFTA_CHAIN_TYPE, "filter");
    }
    return message;
}

Attributes expressions_of(const Rule& rule) {
    Attributes expressions;
    for (const auto& expression : rule) {
        expressions.nest(NFTA_LIST_ELEM, Attributes()
                                             .text(NFTA_EXPR_NAME, expression.name)
                                             .nest(NFTA_EXPR_DATA, expression.data));
    }
    return expressions;
}

}  // namespace

std::string SetId::name() const {
    std::string text = block == BlockKind::Hard ? "v" : "soft";
    text += family == IpFamily::V4 ? '4' : '6';
    return is_of_networks() ? fmt::format("{}_{}", text, prefix_length) : text;
}

SetId set_of(const base::Cidr& target, BlockKind block) {
    return {target.address.family(), target.prefix_length, block};
}

std::optional<SetId> set_named(std::string_view name) {
    SetId set;
    std::string_view rest;
    if (name.substr(0, 4) == "soft") {
        set.block = BlockKind::Soft;
        rest = name.substr(4);
    } else if (name.substr(0, 1) == "v") {
        rest = name.substr(1);
    }
    if (rest.empty() || (rest[0] != '4' && rest[0] != '6')) {
        return std::nullopt;
    }
    set.family = rest[0] == '4' ? IpFamily::V4 : IpFamily::V6;
    const int bits = static_cast<int>(set.address_size()) * 8;
    set.prefix_length = bits;
    if (rest.size() > 2 && rest[1] == '_') {
        std::from_chars(rest.data() + 2, rest.data() + rest.size(), set.prefix_length);
        if (set.prefix_length < 1 || set.prefix_length >= bits) {
            return std::nullopt;
        }
    }
    return set.name() == name ? std::optional(set) : std::nullopt;
}

Attributes table_message() { return Attributes().text(NFTA_TABLE_NAME, kTable); }

Attributes set_message(const SetId& set) {
    return Attributes().text(NFTA_SET_TABLE, kTable).text(NFTA_SET_NAME, set.name());
}

Attributes elements_message(const SetId& set, const Element* elements, std::size_t count) {
    Attributes list;
    for (const auto* each = elements; each != elements + count; ++each) {
        Attributes element;
        element.nest(NFTA_SET_ELEM_KEY,
                     Attributes().bytes(NFTA_DATA_VALUE, each->target.address.data(),
                                        each->target.address.size()));
        if (each->timeout > std::chrono::seconds(0)) {
            element.u64(NFTA_SET_ELEM_TIMEOUT,
                        static_cast<std::uint64_t>(each->timeout.count()) * 1000);
        }
        list.nest(NFTA_LIST_ELEM, element);
    }
    return Attributes()
        .text(NFTA_SET_ELEM_LIST_TABLE, kTable)
        .text(NFTA_SET_ELEM_LIST_SET, set.name())
        .nest(NFTA_SET_ELEM_LIST_ELEMENTS, list);
}

void take_elements(const nlmsghdr& header, std::vector<Held>& held) {
    bool is_ours = false;
    std::optional<SetId> set;
    const nlattr* elements = nullptr;
    for_each_attribute(header, [&](const nlattr& attribute) {
        switch (type_of(attribute)) {
            case NFTA_SET_ELEM_LIST_TABLE:
                is_ours = text_of(attribute) == kTable;
                break;
            case NFTA_SET_ELEM_LIST_SET:
                set = set_named(text_of(attribute));
                break;
            case NFTA_SET_ELEM_LIST_ELEMENTS:
                elements = &attribute;
                break;
            default:
                break;
        }
    });
    if (!is_ours || !set || elements == nullptr) {
        return;
    }
    for_each_nested(*elements, [&](const nlattr& element) {
        if (const auto one = held_in(element, *set)) {
            held.push_back(*one);
        }
    });
}

TableForm TableForm::due(std::set<SetId> sets, std::uint16_t first_local_port) {
    TableForm form;
    form.exists_ = true;
    for (const auto block : {BlockKind::Hard, BlockKind::Soft}) {
        sets.insert({IpFamily::V4, 32, block});
        sets.insert({IpFamily::V6, 128, block});
    }
    form.sets_ = std::move(sets);
    for (const auto& chain : kChains) {
        form.chains_[chain.name] = chain.hook < 0
                                       ? kNoHook
                                       : describe_hook(static_cast<std::uint32_t>(chain.hook),
                                                       kChainPriority, "filter", NF_ACCEPT);
        form.chain_messages_[chain.name] = new_chain_message(chain);
        auto& rules = form.rules_[chain.name];
        for (const auto& rule : rules_of(chain.name, form.sets_, first_local_port)) {
            const Attributes nested =
                Attributes().nest(NFTA_RULE_EXPRESSIONS, expressions_of(rule));
            rules.push_back(
                describe_rule(*reinterpret_cast<const nlattr*>(nested.encoded().data())));
            form.rule_messages_.push_back(Attributes()
                                              .text(NFTA_RULE_TABLE, kTable)
                                              .text(NFTA_RULE_CHAIN, chain.name)
                                              .nest(NFTA_RULE_EXPRESSIONS, expressions_of(rule)));
        }
    }
    return form;
}

base::Result<std::uint32_t> generation_of(NfSocket& socket) {
    std::uint32_t generation = 0;
    const int error = socket.ask(NFT_MSG_GETGEN, 0, {}, [&](const nlmsghdr& header) {
        for_each_attribute(header, [&](const nlattr& attribute) {
            if (type_of(attribute) == NFTA_GEN_ID) {
                generation = u32_of(attribute);
            }
        });
    });
    if (error != 0) {
        return failure("not-read", "the kernel does not show its ruleset: " + explain(error));
    }
    return generation;
}

base::Result<TableForm::Reading> TableForm::read(NfSocket& socket) {
    int error = EAGAIN;
    for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
        const auto before = generation_of(socket);
        if (!before) {
            return base::fail(before.error());
        }
        Reading reading;
        reading.generation = *before;
        TableForm& form = reading.form;
        error = socket.ask(NFT_MSG_GETTABLE, NLM_F_ACK, table_message(), [&](const auto& header) {
            form.exists_ = true;
            for_each_attribute(header, [&](const nlattr& attribute) {
                if (type_of(attribute) == NFTA_TABLE_FLAGS && u32_of(attribute) != 0) {
                    form.table_ = fmt::format("flags {:x}", u32_of(attribute));
                }
            });
        });
        if (error == 0) {
            error = socket.ask(NFT_MSG_GETCHAIN, NLM_F_DUMP, {}, [&](const auto& header) {
                if (const auto chain = chain_in(header); chain.table == kTable) {
                    form.chains_[chain.name] = chain.form;
                }
            });
        }
        if (error == 0) {
            error =
                socket.ask(NFT_MSG_GETSET, NLM_F_DUMP, table_message(), [&](const auto& header) {
                    const auto set = set_in(header);
                    if (const auto id = set_named(set.name); id && set.table == kTable) {
                        if (set.form.empty()) {
                            form.sets_.insert(*id);
                        } else {
                            form.wrong_sets_.insert(set.name);
                        }
                    }
                });
        }
        if (error == 0) {
            const auto take = [&](const nlmsghdr& header) {
                std::string table;
                std::string chain;
                std::string rule;
                for_each_attribute(header, [&](const nlattr& attribute) {
                    switch (type_of(attribute)) {
                        case NFTA_RULE_TABLE:
                            table = text_of(attribute);
                            break;
                        case NFTA_RULE_CHAIN:
                            chain = text_of(attribute);
                            break;
                        case NFTA_RULE_EXPRESSIONS:
                            rule = describe_rule(attribute);
                            break;
                        default:
                            break;
                    }
                });
                if (table == kTable) {
                    form.rules_[chain].push_back(std::move(rule));
                }
            };
            error = socket.ask(NFT_MSG_GETRULE, NLM_F_DUMP,
                               Attributes().text(NFTA_RULE_TABLE, kTable), take);
        }
        if (error == ENOENT && !form.exists_) {
            error = 0;
        }
        const auto after = generation_of(socket);
        if (!after) {
            return base::fail(after.error());
        }
        if (error == 0 && *before == *after) {
            return reading;
        }
        if (error != 0 && error != EINTR && error != ENOENT) {
            break;
        }
    }
    return failure("not-read", error == 0 ? "the ruleset changes faster than it can be read"
                                          : "the kernel does not show the table inet portcullis: " +
                                                explain(error));
}

std::string TableForm::difference(const TableForm& due) const {
    if (!exists_) {
        return kAll;
    }
    if (table_ != due.table_) {
        return "its flags";
    }
    if (!wrong_sets_.empty()) {
        return "the set " + *wrong_sets_.begin();
    }
    for (const auto& set : due.sets_) {
        if (sets_.count(set) == 0) {
            return "the set " + set.name();
        }
    }
    for (const auto& [name, form] : due.chains_) {
        const auto it = chains_.find(name);
        if (it == chains_.end() || it->second != form) {
            return "the chain " + name;
        }
    }
    for (const auto& [name, form] : chains_) {
        if (due.chains_.count(name) == 0) {
            return "the chain " + name;
        }
    }
    for (const auto& [name, rules] : due.rules_) {
        const auto it = rules_.find(name);
        if (it == rules_.end() ? !rules.empty() : it->second != rules) {
            return "the rules of the chain " + name;
        }
    }
    return {};
}

std::set<SetId> TableForm::change_into(const TableForm& due, Transaction& transaction) const {
    // Without flags, so that a dormant table becomes active.
    transaction.add(NFT_MSG_NEWTABLE, NLM_F_CREATE, table_message().u32(NFTA_TABLE_FLAGS, 0));
    for (const auto& [chain, rules] : rules_) {
        if (!rules.empty()) {
            transaction.add(
                NFT_MSG_DELRULE, 0,
                Attributes().text(NFTA_RULE_TABLE, kTable).text(NFTA_RULE_CHAIN, chain));
        }
    }
    for (const auto& [name, form] : chains_) {
        const auto it = due.chains_.find(name);
        if (it == due.chains_.end() || it->second != form) {
            transaction.add(NFT_MSG_DELCHAIN, 0, chain_message(name));
        }
    }
    for (const auto& name : wrong_sets_) {
        transaction.add(NFT_MSG_DELSET, 0, set_message(*set_named(name)));
    }
    std::set<SetId> made;
    std::uint32_t id = 0;
    for (const auto& set : due.sets_) {
        if (sets_.count(set) == 0) {
            transaction.add(NFT_MSG_NEWSET, NLM_F_CREATE, new_set_message(set, ++id));
            made.insert(set);
        }
    }
    for (const auto& chain : kChains) {
        const auto it = chains_.find(chain.name);
        if (it == chains_.end() || it->second != due.chains_.at(chain.name)) {
            transaction.add(NFT_MSG_NEWCHAIN, NLM_F_CREATE, due.chain_messages_.at(chain.name));
        }
    }
    for (const auto& rule : due.rule_messages_) {
        transaction.add(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, rule);
    }
    return made;
}

std::set<SetId> TableForm::replace_by(const TableForm& due, Transaction& transaction) const {
    if (exists_) {
        transaction.add(NFT_MSG_DELTABLE, 0, table_message());
    }
    return TableForm().change_into(due, transaction);
}

}  // namespace portcullis::active_response
