#include "engine/execd/process_events.hpp"

#include <arpa/inet.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace portcullis::execd {
namespace {

// The numbers of linux/cn_proc.h, whose enumeration has moved between versions.
constexpr std::uint32_t kAcknowledgement = 0;
constexpr std::uint32_t kFork = 1;
constexpr std::uint32_t kExec = 2;
constexpr std::uint32_t kExit = 0x8000'0000;

constexpr int kQueueBytes = 4 << 20;
// With more events at once, reading /proc costs less than the queue.
constexpr int kMaxEvents = 20'000;

// A message: netlink's header, the connector's, the event.
constexpr std::size_t kEventAt = sizeof(nlmsghdr) + sizeof(cn_msg);
constexpr std::size_t kWhatAt = kEventAt + offsetof(proc_event, what);
constexpr std::size_t kDataAt = kEventAt + offsetof(proc_event, event_data);
constexpr std::size_t kProcessAt = kDataAt;
constexpr std::size_t kProcessGroupAt = kDataAt + 4;
constexpr std::size_t kChildAt = kDataAt + 8;
constexpr std::size_t kChildGroupAt = kDataAt + 12;

std::uint32_t word_at(const char* message, std::size_t offset) {
    std::uint32_t word = 0;
    std::memcpy(&word, message + offset, sizeof word);
    return word;
}

// A socket filter that passes only the events that ProcessEvents reports, so that others do not
// wake execd. A filter reads words as big-endian, so constants are swapped. A thread is recognized
// by its id, which differs from that of its group.
bool filter_events(int fd) {
    const auto load = [](std::size_t offset) {
        return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
    };
    // Numbers of instructions that a jump skips.
    const auto if_equal = [](std::uint32_t value, int yes, int no) {
        return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint8_t>(yes),
                           static_cast<std::uint8_t>(no), htonl(value)};
    };
    const auto if_equals_x = [](int yes, int no) {
        return sock_filter{BPF_JMP | BPF_JEQ | BPF_X, static_cast<std::uint8_t>(yes),
                           static_cast<std::uint8_t>(no), 0};
    };
    constexpr sock_filter kToX{BPF_MISC | BPF_TAX, 0, 0, 0};
    std::array program{
        load(kWhatAt),
        if_equal(kFork, 3, 0),
        if_equal(kExit, 6, 0),
        if_equal(kExec, 9, 0),
        if_equal(kAcknowledgement, 8, 9),
        load(kChildAt),  // of a fork
        kToX,
        load(kChildGroupAt),
        if_equals_x(4, 5),
        load(kProcessAt),  // of an exit
        kToX,
        load(kProcessGroupAt),
        if_equals_x(0, 1),
        sock_filter{BPF_RET | BPF_K, 0, 0, 0xffff'ffff},  // accept
        sock_filter{BPF_RET | BPF_K, 0, 0, 0},            // reject
    };
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

bool subscribe(int fd) {
    alignas(nlmsghdr) std::array<char, kEventAt + sizeof(std::uint32_t)> message{};
    nlmsghdr header{};
    header.nlmsg_len = message.size();
    header.nlmsg_type = NLMSG_DONE;
    cn_msg connector{};
    connector.id = {CN_IDX_PROC, CN_VAL_PROC};
    connector.len = sizeof(std::uint32_t);
    const std::uint32_t listen = PROC_CN_MCAST_LISTEN;
    std::memcpy(message.data(), &header, sizeof header);
    std::memcpy(message.data() + sizeof header, &connector, sizeof connector);
    std::memcpy(message.data() + kEventAt, &listen, sizeof listen);
    return ::send(fd, message.data(), message.size(), 0) >= 0;
}

base::UniqueFd connect_to_kernel() {
    base::UniqueFd fd(
        ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = CN_IDX_PROC;
    if (!fd || !filter_events(fd.get()) ||
        ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        !subscribe(fd.get())) {
        return base::UniqueFd();
    }
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kQueueBytes, sizeof kQueueBytes);
    return fd;
}

// Reads one message of the kernel. Returns 0 if the queue is empty, -1 for an error (errno).
ssize_t receive(int fd, char* message, std::size_t size) {
    for (;;) {
        sockaddr_nl sender{};
        socklen_t sender_size = sizeof sender;
        const ssize_t got = ::recvfrom(fd, message, size, MSG_DONTWAIT,
                                       reinterpret_cast<sockaddr*>(&sender), &sender_size);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return 0;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        const bool is_whole = got < 0 || static_cast<std::size_t>(got) >= kEventAt + 4;
        if (is_whole && (got < 0 || sender.nl_pid == 0)) {
            return got;
        }
    }
}

}  // namespace

std::optional<ProcessEvents> ProcessEvents::open() {
    base::UniqueFd fd = connect_to_kernel();
    if (!fd) {
        return std::nullopt;
    }
    // The acknowledgement was queued during the subscription. In a container there is none, since
    // the kernel ignores the request.
    alignas(nlmsghdr) std::array<char, 512> message{};
    while (receive(fd.get(), message.data(), message.size()) > 0) {
        constexpr std::size_t kErrorAt = kDataAt;
        if (word_at(message.data(), kWhatAt) == kAcknowledgement) {
            return word_at(message.data(), kErrorAt) == 0
                       ? std::optional(ProcessEvents(std::move(fd)))
                       : std::nullopt;
        }
    }
    return std::nullopt;
}

bool ProcessEvents::drain(const std::function<void(const ProcessEvent&)>& on_event) {
    alignas(nlmsghdr) std::array<char, 512> message{};
    bool is_complete = true;
    for (int count = 0; count < kMaxEvents; ++count) {
        const ssize_t got = receive(fd_.get(), message.data(), message.size());
        if (got == 0) {
            return is_complete;
        }
        if (got < 0) {
            if (errno != ENOBUFS) {
                return false;
            }
            is_complete = false;
            continue;
        }
        if (static_cast<std::size_t>(got) < kChildGroupAt + 4) {
            continue;
        }
        ProcessEvent event;
        event.process = static_cast<pid_t>(word_at(message.data(), kProcessGroupAt));
        switch (word_at(message.data(), kWhatAt)) {
            case kFork:
                event.kind = ProcessEvent::Kind::Fork;
                event.child = static_cast<pid_t>(word_at(message.data(), kChildGroupAt));
                break;
            case kExec:
                event.kind = ProcessEvent::Kind::Exec;
                break;
            case kExit:
                event.kind = ProcessEvent::Kind::Exit;
                break;
            default:
                continue;  // the acknowledgement of another listener
        }
        on_event(event);
    }
    return false;
}

}  // namespace portcullis::execd
