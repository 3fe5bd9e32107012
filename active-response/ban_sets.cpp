#include "active-response/ban_sets.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>

namespace portcullis::active_response {
namespace {

constexpr const char* kTable = "portcullis";
constexpr const char* kChain = "gate";
constexpr int kRules = 5;
constexpr int kAttempts = 4;
constexpr std::size_t kBatchChanges = 200;
constexpr std::size_t kBatchBytes = kBatchChanges * 3 * 128 + 8192;
constexpr timeval kReplyLimit{5, 0};

struct SetForm {
    const char* name;
    std::size_t address_size;
    int prefix_length;
};
constexpr SetForm kSets[] = {
    {"v4", 4, 32}, {"v6", 16, 128}, {"v6_48", 16, 48}, {"v6_56", 16, 56}, {"v6_64", 16, 64}};
constexpr int kMaxRestarts = 2;

// The set that holds a target. REQUIRES: base::parse_ban_target() gave it.
const SetForm& set_of(const base::Cidr& target) {
    const auto* found = std::find_if(std::begin(kSets), std::end(kSets), [&](const SetForm& form) {
        return form.address_size == target.address.size() &&
               form.prefix_length == target.prefix_length;
    });
    return found == std::end(kSets) ? kSets[1] : *found;
}

tl::unexpected<base::Diagnostic> failure(const char* code, std::string message) {
    base::Diagnostic diagnostic;
    diagnostic.code = code;
    diagnostic.message = std::move(message);
    return base::fail(std::move(diagnostic));
}

std::string explain(int error) {
    switch (error) {
        case EPERM:
            return "this needs root or CAP_NET_ADMIN";
        case ENFILE:
            return "the set is full";
        case EOPNOTSUPP:
        case EPROTONOSUPPORT:
            return "this kernel has no nftables (module nf_tables)";
        default:
            return std::generic_category().message(error);
    }
}

std::string table_script() {
    return fmt::format(
        "add table inet {0}\n"
        "add set inet {0} v4 {{ type ipv4_addr; flags timeout; size 131072; }}\n"
        "add set inet {0} v6 {{ type ipv6_addr; flags timeout; size 131072; }}\n"
        "add set inet {0} v6_48 {{ type ipv6_addr; flags timeout; size 131072; }}\n"
        "add set inet {0} v6_56 {{ type ipv6_addr; flags timeout; size 131072; }}\n"
        "add set inet {0} v6_64 {{ type ipv6_addr; flags timeout; size 131072; }}\n"
        "add chain inet {0} gate {{ type filter hook prerouting priority {1}; policy accept; }}\n"
        "flush chain inet {0} gate\n"
        "add rule inet {0} gate ip saddr @v4 drop\n"
        "add rule inet {0} gate ip6 saddr @v6 drop\n"
        "add rule inet {0} gate ip6 saddr & ffff:ffff:ffff:: @v6_48 drop\n"
        "add rule inet {0} gate ip6 saddr & ffff:ffff:ffff:ff00:: @v6_56 drop\n"
        "add rule inet {0} gate ip6 saddr & ffff:ffff:ffff:ffff:: @v6_64 drop\n",
        kTable, kChainPriority);
}

bool names(const nlattr* attribute, int type, const char* name) {
    return mnl_attr_get_type(attribute) == type &&
           mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0 &&
           std::strcmp(mnl_attr_get_str(attribute), name) == 0;
}

// Calls `take(const nlattr*)` for each attribute from `attribute` up to `end`. (mnl_attr_for_each()
// is not C++.)
template <typename Take>
void for_each_attribute(const nlattr* attribute, const void* end, Take take) {
    while (mnl_attr_ok(attribute, static_cast<int>(static_cast<const char*>(end) -
                                                   reinterpret_cast<const char*>(attribute)))) {
        take(attribute);
        attribute = mnl_attr_next(attribute);
    }
}

template <typename Take>
void for_each_nested(const nlattr* nest, Take take) {
    const auto* first = static_cast<const nlattr*>(mnl_attr_get_payload(nest));
    for_each_attribute(first, reinterpret_cast<const char*>(first) + mnl_attr_get_payload_len(nest),
                       take);
}

// The target of an element's key; nullopt = it is not one of ours.
std::optional<base::Cidr> target_of(const nlattr* key, const SetForm& form) {
    std::optional<base::Cidr> target;
    for_each_nested(key, [&](const nlattr* value) {
        if (mnl_attr_get_type(value) != NFTA_DATA_VALUE ||
            mnl_attr_get_payload_len(value) < form.address_size) {
            return;
        }
        const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(value));
        if (form.address_size == 4) {
            target = base::Cidr{base::IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}), 32};
        } else {
            std::array<std::uint8_t, 16> address{};
            std::copy_n(bytes, address.size(), address.begin());
            target = base::Cidr{base::IpAddress::v6(address), form.prefix_length};
        }
    });
    return target;
}

std::optional<Held> held_of(const nlattr* element, const SetForm& form) {
    std::optional<base::Cidr> target;
    std::optional<std::chrono::seconds> left;
    bool is_end_of_interval = false;
    for_each_nested(element, [&](const nlattr* attribute) {
        switch (mnl_attr_get_type(attribute)) {
            case NFTA_SET_ELEM_KEY:
                target = target_of(attribute, form);
                break;
            case NFTA_SET_ELEM_EXPIRATION:
                if (mnl_attr_validate(attribute, MNL_TYPE_U64) >= 0) {
                    left = std::chrono::ceil<std::chrono::seconds>(
                        std::chrono::milliseconds(be64toh(mnl_attr_get_u64(attribute))));
                }
                break;
            case NFTA_SET_ELEM_FLAGS:
                is_end_of_interval =
                    mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0 &&
                    (ntohl(mnl_attr_get_u32(attribute)) & NFT_SET_ELEM_INTERVAL_END) != 0;
                break;
            default:
                break;
        }
    });
    return target && !is_end_of_interval ? std::optional(Held{*target, left}) : std::nullopt;
}

// Appends the elements of a message NFT_MSG_NEWSETELEM.
void take_elements(const nlmsghdr* header, const SetForm& form, std::vector<Held>& held) {
    if (header->nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM)) {
        return;
    }
    for_each_attribute(
        static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(header, sizeof(nfgenmsg))),
        mnl_nlmsg_get_payload_tail(header), [&](const nlattr* attribute) {
            if (mnl_attr_get_type(attribute) != NFTA_SET_ELEM_LIST_ELEMENTS) {
                return;
            }
            for_each_nested(attribute, [&](const nlattr* element) {
                if (const auto one = held_of(element, form)) {
                    held.push_back(*one);
                }
            });
        });
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

struct Reply {
    std::uint32_t last_sequence = 0;
    bool is_complete = false;
    int error = 0;  // the first one of the transaction
};

// An acknowledgement or error of one message of the transaction.
void take_reply(const nlmsghdr* header, std::uint32_t first_sequence, Reply& reply) {
    if (header->nlmsg_type != NLMSG_ERROR || header->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr)) ||
        header->nlmsg_seq < first_sequence || header->nlmsg_seq > reply.last_sequence) {
        return;
    }
    const auto* answer = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
    if (answer->error != 0 && reply.error == 0) {
        reply.error = -answer->error;
    }
    // A transaction that is refused as a whole is answered at its begin.
    reply.is_complete = reply.is_complete || header->nlmsg_seq == reply.last_sequence ||
                        (header->nlmsg_seq == first_sequence && answer->error != 0);
}

void put_batch_mark(mnl_nlmsg_batch* batch, std::uint16_t type, std::uint32_t sequence) {
    auto* header = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_seq = sequence;
    auto* general = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
    general->nfgen_family = AF_UNSPEC;
    general->version = NFNETLINK_V0;
    general->res_id = htons(NFNL_SUBSYS_NFTABLES);
    mnl_nlmsg_batch_next(batch);
}

// Begins a message about elements of `set` at `memory`.
nlmsghdr* begin_message(void* memory, std::uint16_t type, std::uint16_t flags,
                        std::uint32_t sequence, const char* set) {
    auto* header = mnl_nlmsg_put_header(memory);
    header->nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | type);
    header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header->nlmsg_seq = sequence;
    auto* general = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
    general->nfgen_family = NFPROTO_INET;
    general->version = NFNETLINK_V0;
    general->res_id = 0;
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, kTable);
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, set);
    return header;
}

void put_target(nlmsghdr* header, const base::Cidr& target, std::chrono::seconds timeout) {
    auto* elements = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
    auto* element = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
    auto* key = mnl_attr_nest_start(header, NFTA_SET_ELEM_KEY);
    mnl_attr_put(header, NFTA_DATA_VALUE, target.address.size(), target.address.data());
    mnl_attr_nest_end(header, key);
    if (timeout > std::chrono::seconds(0)) {
        mnl_attr_put_u64(header, NFTA_SET_ELEM_TIMEOUT,
                         htobe64(static_cast<std::uint64_t>(timeout.count()) * 1000));
    }
    mnl_attr_nest_end(header, element);
    mnl_attr_nest_end(header, elements);
}

void put_element(mnl_nlmsg_batch* batch, std::uint16_t type, std::uint16_t flags,
                 std::uint32_t sequence, const base::Cidr& target, std::chrono::seconds timeout) {
    put_target(
        begin_message(mnl_nlmsg_batch_current(batch), type, flags, sequence, set_of(target).name),
        target, timeout);
    mnl_nlmsg_batch_next(batch);
}

}  // namespace

void BanSets::CloseSocket::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
void HeldWalk::CloseSocket::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
void TableWatch::CloseSocket::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

base::Result<BanSets> BanSets::open() {
    auto* socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (socket == nullptr) {
        return failure("no-netlink", "no netlink socket: " + explain(errno));
    }
    BanSets sets(socket);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        return failure("no-netlink", "no netlink socket: " + explain(errno));
    }
    ::setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &kReplyLimit,
                 sizeof kReplyLimit);
    sets.sequence_ = static_cast<std::uint32_t>(std::time(nullptr));
    return sets;
}

base::Result<void> BanSets::ensure_table() {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0) {
        return failure("nft-failed", std::generic_category().message(errno));
    }
    const base::UniqueFd script_end(in[0]);
    base::UniqueFd script(in[1]);
    if (::pipe2(out.data(), O_CLOEXEC) != 0) {
        return failure("nft-failed", std::generic_category().message(errno));
    }
    const base::UniqueFd said(out[0]);
    base::UniqueFd said_end(out[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(script_end.get(), STDIN_FILENO);
        ::dup2(said_end.get(), STDOUT_FILENO);
        ::dup2(said_end.get(), STDERR_FILENO);
        ::execlp("nft", "nft", "-f", "-", nullptr);
        ::_exit(127);
    }
    said_end.reset();
    if (child < 0) {
        return failure("nft-failed", std::generic_category().message(errno));
    }
    base::write_all(script.get(), table_script());
    script.reset();
    std::string text;
    std::array<char, 512> buffer;
    for (ssize_t got = 0; (got = ::read(said.get(), buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(got));
        text.resize(std::min<std::size_t>(text.size(), 1000));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        return failure("no-nft", "cannot run nft(8): install the package nftables");
    }
    if (status != 0) {
        return failure("nft-failed",
                       "nft cannot make the table: " + text.substr(0, text.find('\n')));
    }
    return {};
}

int BanSets::commit(const base::Cidr& target, const std::vector<Step>& steps,
                    std::chrono::seconds timeout) {
    alignas(nlmsghdr) std::array<char, 4096> buffer{};
    std::unique_ptr<mnl_nlmsg_batch, void (*)(mnl_nlmsg_batch*)> batch(
        mnl_nlmsg_batch_start(buffer.data(), buffer.size()), mnl_nlmsg_batch_stop);
    if (batch == nullptr) {
        return ENOMEM;
    }
    const auto first = ++sequence_;
    put_batch_mark(batch.get(), NFNL_MSG_BATCH_BEGIN, first);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const std::uint16_t ack = i + 1 == steps.size() ? NLM_F_ACK : 0;
        if (steps[i] == Step::Add) {
            put_element(batch.get(), NFT_MSG_NEWSETELEM,
                        static_cast<std::uint16_t>(NLM_F_CREATE | NLM_F_EXCL | ack), ++sequence_,
                        target, timeout);
        } else {
            put_element(batch.get(), NFT_MSG_DELSETELEM, ack, ++sequence_, target, {});
        }
    }
    return finish(batch.get(), first);
}

// Ends the transaction that began with `first`, and waits for the kernel's word. 0 or an errno.
int BanSets::finish(mnl_nlmsg_batch* batch, std::uint32_t first) {
    Reply reply;
    reply.last_sequence = sequence_;
    put_batch_mark(batch, NFNL_MSG_BATCH_END, ++sequence_);
    if (mnl_socket_sendto(socket_.get(), mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) <
        0) {
        return errno;
    }
    while (!reply.is_complete) {
        alignas(nlmsghdr) std::array<char, 8192> received;
        const auto got = mnl_socket_recvfrom(socket_.get(), received.data(), received.size());
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == EAGAIN ? ETIMEDOUT : errno;
        }
        int left = static_cast<int>(got);
        for (const auto* header = reinterpret_cast<const nlmsghdr*>(received.data());
             mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
            take_reply(header, first, reply);
        }
    }
    return reply.error;
}

bool BanSets::apply(const std::vector<Change>& changes) {
    std::vector<char> buffer(kBatchBytes);
    for (std::size_t begin = 0; begin < changes.size(); begin += kBatchChanges) {
        const auto end = std::min(begin + kBatchChanges, changes.size());
        std::unique_ptr<mnl_nlmsg_batch, void (*)(mnl_nlmsg_batch*)> batch(
            mnl_nlmsg_batch_start(buffer.data(), buffer.size()), mnl_nlmsg_batch_stop);
        if (batch == nullptr) {
            return false;
        }
        const auto first = ++sequence_;
        put_batch_mark(batch.get(), NFNL_MSG_BATCH_BEGIN, first);
        for (auto i = begin; i < end; ++i) {
            // Put it there, if it is not, so that taking it away cannot fail.
            const auto& [target, timeout] = changes[i];
            const std::uint16_t ack = i + 1 == end ? NLM_F_ACK : 0;
            put_element(batch.get(), NFT_MSG_NEWSETELEM, NLM_F_CREATE, ++sequence_, target,
                        std::chrono::seconds(1));
            put_element(batch.get(), NFT_MSG_DELSETELEM, timeout ? std::uint16_t{0} : ack,
                        ++sequence_, target, {});
            if (timeout) {
                put_element(batch.get(), NFT_MSG_NEWSETELEM,
                            static_cast<std::uint16_t>(NLM_F_CREATE | NLM_F_EXCL | ack),
                            ++sequence_, target, *timeout);
            }
        }
        if (finish(batch.get(), first) != 0) {
            return false;
        }
    }
    return true;
}

int BanSets::add_or_replace(const base::Cidr& target, std::chrono::seconds timeout) {
    int error = 0;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        error = commit(target, {Step::Add}, timeout);
        if (error != EEXIST) {
            return error;
        }
        // Older kernels ignore a new timeout of an element that is there: replace it, in one
        // transaction, so that no packet slips through.
        error = commit(target, {Step::Remove, Step::Add}, timeout);
        if (error != ENOENT) {
            return error;
        }
        // It ran out between the two: add it as a new one.
    }
    return error;
}

base::Result<void> BanSets::add(const base::Cidr& target, std::chrono::seconds timeout) {
    int error = add_or_replace(target, timeout);
    if (error == ENOENT) {  // no table: the first use, or `nft flush ruleset`
        if (auto made = ensure_table(); !made) {
            return failure("not-blocked", made.error().message);
        }
        table_was_lost_ = true;
        error = add_or_replace(target, timeout);
    }
    if (error != 0) {
        return failure("not-blocked", "the kernel refuses the block: " + explain(error));
    }
    return {};
}

base::Result<void> BanSets::remove(const base::Cidr& target) {
    const int error = commit(target, {Step::Remove}, {});
    if (error != 0 && error != ENOENT) {
        return failure("not-unblocked", "the kernel refuses the unblock: " + explain(error));
    }
    return {};
}

base::Result<std::optional<Held>> BanSets::find(const base::Cidr& target) {
    alignas(nlmsghdr) std::array<char, 8192> buffer{};
    const SetForm& form = set_of(target);
    const auto sequence = ++sequence_;
    auto* header = begin_message(buffer.data(), NFT_MSG_GETSETELEM, NLM_F_ACK, sequence, form.name);
    put_target(header, target, {});
    int error = mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0 ? errno : -1;
    std::vector<Held> held;
    while (error < 0) {
        const auto got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            error = errno == EAGAIN ? ETIMEDOUT : errno;
            break;
        }
        int left = static_cast<int>(got);
        for (const auto* each = reinterpret_cast<const nlmsghdr*>(buffer.data());
             mnl_nlmsg_ok(each, left); each = mnl_nlmsg_next(each, &left)) {
            if (each->nlmsg_seq == sequence) {
                take_elements(each, form, held);
                error = end_of(each).value_or(error);
            }
        }
    }
    if (error != 0 && error != ENOENT) {
        return failure("not-read", "the kernel does not show the set: " + explain(error));
    }
    return held.empty() ? std::optional<Held>() : held.front();
}

bool BanSets::has_rules() {
    alignas(nlmsghdr) std::array<char, 8192> buffer{};
    auto* header = mnl_nlmsg_put_header(buffer.data());
    header->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETRULE;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    const auto sequence = header->nlmsg_seq = ++sequence_;
    auto* general = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
    general->nfgen_family = NFPROTO_INET;
    general->version = NFNETLINK_V0;
    mnl_attr_put_strz(header, NFTA_RULE_TABLE, kTable);
    mnl_attr_put_strz(header, NFTA_RULE_CHAIN, kChain);
    if (mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0) {
        return false;
    }
    int rules = 0;
    for (;;) {
        const auto got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return false;
        }
        int left = static_cast<int>(got);
        for (const auto* each = reinterpret_cast<const nlmsghdr*>(buffer.data());
             mnl_nlmsg_ok(each, left); each = mnl_nlmsg_next(each, &left)) {
            if (each->nlmsg_seq != sequence) {
                continue;
            }
            if (each->nlmsg_type == NLMSG_DONE || each->nlmsg_type == NLMSG_ERROR) {
                return rules >= kRules;
            }
            ++rules;
        }
    }
}

bool BanSets::take_table_was_lost() { return std::exchange(table_was_lost_, false); }

base::Result<HeldWalk> HeldWalk::start() {
    auto* socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket == nullptr) {
        return failure("no-netlink", "no netlink socket: " + explain(errno));
    }
    HeldWalk walk(socket);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        return failure("no-netlink", "no netlink socket: " + explain(errno));
    }
    if (const int error = walk.ask(); error != 0) {
        return failure("no-netlink", "no netlink socket: " + explain(error));
    }
    return walk;
}

int HeldWalk::fd() const { return mnl_socket_get_fd(socket_.get()); }

int HeldWalk::ask() {
    alignas(nlmsghdr) std::array<char, 1024> buffer{};
    const auto* header =
        begin_message(buffer.data(), NFT_MSG_GETSETELEM, NLM_F_DUMP, ++sequence_, kSets[set_].name);
    was_changed_ = false;
    return mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0 ? errno : 0;
}

base::Result<bool> HeldWalk::go_on() {
    if (was_changed_ && restarts_ < kMaxRestarts) {
        ++restarts_;
    } else {
        restarts_ = 0;
        ++set_;
    }
    if (set_ == std::size(kSets)) {
        return false;
    }
    if (const int error = ask(); error != 0) {
        return failure("not-read", "the kernel does not show the sets: " + explain(error));
    }
    return true;
}

base::Result<bool> HeldWalk::read_slice(std::vector<Held>& held) {
    alignas(nlmsghdr) std::array<char, 32768> received;
    const auto got = mnl_socket_recvfrom(socket_.get(), received.data(), received.size());
    if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return true;
        }
        return failure("not-read", "the kernel does not show the sets: " + explain(errno));
    }
    std::optional<int> end;
    int left = static_cast<int>(got);
    for (const auto* each = reinterpret_cast<const nlmsghdr*>(received.data());
         mnl_nlmsg_ok(each, left); each = mnl_nlmsg_next(each, &left)) {
        if (each->nlmsg_seq == sequence_) {
            was_changed_ = was_changed_ || (each->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
            take_elements(each, kSets[set_], held);
            end = end ? end : end_of(each);
        }
    }
    if (!end) {
        return true;
    }
    // ENOENT: there is no table, or an older one without this set.
    if (*end != 0 && *end != ENOENT) {
        return failure("not-read", "the kernel does not show the sets: " + explain(*end));
    }
    return go_on();
}

base::Result<TableWatch> TableWatch::open() {
    auto* socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket == nullptr) {
        return failure("no-netlink", "no netlink socket: " + explain(errno));
    }
    TableWatch watch(socket);
    // Our own changes are heard too.
    constexpr int kQueueBytes = 4 << 20;
    ::setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &kQueueBytes,
                 sizeof kQueueBytes);
    int group = NFNLGRP_NFTABLES;
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
        return failure("no-netlink", "cannot follow nftables: " + explain(errno));
    }
    return watch;
}

int TableWatch::fd() const { return mnl_socket_get_fd(socket_.get()); }

TableWatch::News TableWatch::read_news() {
    News news;
    alignas(nlmsghdr) std::array<char, 65536> received;
    for (;;) {
        const auto got = mnl_socket_recvfrom(socket_.get(), received.data(), received.size());
        if (got < 0) {
            if (errno == ENOBUFS) {
                news.rule_was_removed = true;  // news were lost: look
                continue;
            }
            if (errno == EINTR) {
                continue;
            }
            return news;
        }
        int left = static_cast<int>(got);
        for (const auto* header = reinterpret_cast<const nlmsghdr*>(received.data());
             mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
            const int type = header->nlmsg_type & 0xff;
            if ((header->nlmsg_type >> 8) != NFNL_SUBSYS_NFTABLES ||
                (type != NFT_MSG_DELTABLE && type != NFT_MSG_DELSET && type != NFT_MSG_DELCHAIN &&
                 type != NFT_MSG_DELRULE)) {
                continue;
            }
            for_each_attribute(
                static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(header, sizeof(nfgenmsg))),
                mnl_nlmsg_get_payload_tail(header), [&](const nlattr* attribute) {
                    // The table's name is attribute 1 in all of them.
                    if (names(attribute, NFTA_TABLE_NAME, kTable)) {
                        (type == NFT_MSG_DELRULE ? news.rule_was_removed : news.was_removed) = true;
                    }
                });
        }
    }
}

}  // namespace portcullis::active_response
