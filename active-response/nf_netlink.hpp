// Netlink messages to and from nf_tables: attributes, sockets, transactions, dumps.
//
// Written without libnftnl: the table of this program needs a dozen attributes, and the same
// encoder gives both what is sent and what a dump is compared with. Single-threaded.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/netlink_attributes.hpp"
#include "base/result.hpp"

namespace portcullis::active_response {

tl::unexpected<base::Diagnostic> failure(const char* code, std::string message);

// An errno as text for an administrator.
std::string explain(int error);

// A sequence of netlink attributes. Numbers are written in network order, as nf_tables wants them.
class Attributes {
  public:
    Attributes& bytes(std::uint16_t type, const void* data, std::size_t size);
    Attributes& text(std::uint16_t type, std::string_view value);
    Attributes& u8(std::uint16_t type, std::uint8_t value) { return bytes(type, &value, 1); }
    Attributes& u32(std::uint16_t type, std::uint32_t value);
    Attributes& u64(std::uint16_t type, std::uint64_t value);
    Attributes& nest(std::uint16_t type, const Attributes& inner);
    const std::string& encoded() const { return bytes_; }

  private:
    std::string bytes_;
};

// Calls `take(const nlattr&)` for each attribute of [data, data + size).
template <typename Take>
void for_each_attribute(const void* data, std::size_t size, Take take) {
    base::for_each_attribute(data, static_cast<const char*>(data) + size,
                             [&](const nlattr* attribute) { take(*attribute); });
}

template <typename Take>
void for_each_nested(const nlattr& nest, Take take) {
    for_each_attribute(mnl_attr_get_payload(&nest), mnl_attr_get_payload_len(&nest), take);
}

// The attributes of an nf_tables message.
template <typename Take>
void for_each_attribute(const nlmsghdr& header, Take take) {
    constexpr std::size_t kHeader = 4;  // nfgenmsg
    base::for_each_attribute_of(&header, kHeader,
                                [&](const nlattr* attribute) { take(*attribute); });
}

inline int type_of(const nlattr& attribute) { return mnl_attr_get_type(&attribute); }
std::string_view text_of(const nlattr& attribute);
// 0 if it has another size.
std::uint32_t u32_of(const nlattr& attribute);
std::uint64_t u64_of(const nlattr& attribute);

// One message of nf_tables (family inet).
std::string nf_message(int type, int flags, std::uint32_t sequence, const Attributes& attributes);

// The type of an nf_tables message (NFT_MSG_…); nullopt = it is not one.
std::optional<int> nf_type_of(const nlmsghdr& header);

// The errno of a message that ends an answer, 0 = it ends well; nullopt = it does not end it.
std::optional<int> end_of(const nlmsghdr& header);

// A socket of NETLINK_NETFILTER.
class NfSocket {
  public:
    enum class Waits { Yes, No };
    // Error "no-netlink".
    static base::Result<NfSocket> open(Waits waits);
    int fd() const;
    std::uint32_t port() const;
    mnl_socket* get() const { return socket_.get(); }
    std::uint32_t next_sequence() { return ++sequence_; }

    // 0 or an errno.
    int send(const std::string& messages);

    // Receives one datagram and calls `take` for each message in it. 0 or an errno, ETIMEDOUT if
    // none comes.
    int receive(const std::function<void(const nlmsghdr&)>& take);

    // Sends one request and calls `take` for each message of the answer. 0 or an errno: ENOENT if
    // the kernel has no such thing, EINTR if it changed while it was read.
    int ask(int type, int flags, const Attributes& attributes,
            const std::function<void(const nlmsghdr&)>& take);

  private:
    struct Close {
        void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
    };
    explicit NfSocket(mnl_socket* socket);
    std::unique_ptr<mnl_socket, Close> socket_;
    std::uint32_t sequence_ = 0;
};

// Changes of the ruleset that are carried out all or not at all.
class Transaction {
  public:
    // `generation`: the kernel refuses the transaction with ERESTART if the ruleset is not of this
    // generation any more. nullopt = whatever its generation is.
    Transaction(NfSocket& socket, std::optional<std::uint32_t> generation);
    void add(int type, int flags, const Attributes& attributes);
    bool is_empty() const { return last_at_ == 0; }
    // Carries it out. 0 or an errno, once the kernel has said so.
    int commit();

  private:
    NfSocket& socket_;
    std::string messages_;
    std::uint32_t first_ = 0;
    std::uint32_t last_ = 0;
    std::size_t last_at_ = 0;  // where the last message begins; 0 = none yet
};

}  // namespace portcullis::active_response
