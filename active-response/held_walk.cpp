#include "active-response/held_walk.hpp"

#include <linux/netfilter/nf_tables.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

namespace portcullis::active_response {
namespace {

constexpr int kMaxRestarts = 2;

tl::unexpected<base::Diagnostic> not_read(int error) {
    return failure("not-read", "the kernel does not show the sets: " + explain(error));
}

}  // namespace

base::Result<HeldWalk> HeldWalk::start() {
    auto names = NfSocket::open(NfSocket::Waits::Yes);
    if (!names) {
        return base::fail(names.error());
    }
    std::vector<SetId> sets;
    const int error =
        names->ask(NFT_MSG_GETSET, NLM_F_DUMP, table_message(), [&](const nlmsghdr& header) {
            bool is_ours = false;
            std::optional<SetId> set;
            for_each_attribute(header, [&](const nlattr& attribute) {
                if (type_of(attribute) == NFTA_SET_TABLE) {
                    is_ours = text_of(attribute) == kTable;
                } else if (type_of(attribute) == NFTA_SET_NAME) {
                    set = set_named(text_of(attribute));
                }
            });
            if (is_ours && set) {
                sets.push_back(*set);
            }
        });
    if (error != 0 && error != ENOENT && error != EINTR) {
        return not_read(error);
    }
    if (sets.empty()) {  // there must be something to wait for
        sets.push_back(SetId{});
    }
    auto socket = NfSocket::open(NfSocket::Waits::No);
    if (!socket) {
        return base::fail(socket.error());
    }
    HeldWalk walk(std::move(*socket), std::move(sets));
    if (const int failed = walk.ask(); failed != 0) {
        return not_read(failed);
    }
    return walk;
}

int HeldWalk::ask() {
    was_changed_ = false;
    sequence_ = socket_.next_sequence();
    return socket_.send(nf_message(NFT_MSG_GETSETELEM, NLM_F_DUMP, sequence_,
                                   Attributes()
                                       .text(NFTA_SET_ELEM_LIST_TABLE, kTable)
                                       .text(NFTA_SET_ELEM_LIST_SET, sets_[set_].name())));
}

base::Result<bool> HeldWalk::go_on() {
    if (was_changed_ && restarts_ < kMaxRestarts) {
        ++restarts_;
    } else {
        restarts_ = 0;
        ++set_;
    }
    if (set_ == sets_.size()) {
        return false;
    }
    if (const int error = ask(); error != 0) {
        return not_read(error);
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
        return not_read(errno);
    }
    std::optional<int> end;
    int left = static_cast<int>(got);
    for (const auto* each = reinterpret_cast<const nlmsghdr*>(received.data());
         mnl_nlmsg_ok(each, left); each = mnl_nlmsg_next(each, &left)) {
        if (each->nlmsg_seq != sequence_) {
            continue;
        }
        was_changed_ = was_changed_ || (each->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (nf_type_of(*each) == NFT_MSG_NEWSETELEM) {
            take_elements(*each, held);
        }
        end = end ? end : end_of(*each);
    }
    if (!end) {
        return true;
    }
    if (*end != 0 && *end != ENOENT) {  // ENOENT: the set is gone
        return not_read(*end);
    }
    return go_on();
}

}  // namespace portcullis::active_response
