#include "programs/control/execd_connection.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace portcullis::programs {

ExecdConnection::ExecdConnection(const std::string& path, std::chrono::milliseconds limit)
    : fd_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (!fd_ || path.size() >= sizeof address.sun_path) {
        fd_.reset();
        return;
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(limit);
    const timeval time{seconds.count(), std::chrono::microseconds(limit - seconds).count()};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
    if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        is_overdue_ = errno == EAGAIN;
        fd_.reset();
    }
}

base::Result<base::Reply> ExecdConnection::ask(const base::ResponseMessage& message) const {
    const std::string packet = base::encode(message);
    std::string answer(base::kMaxMessageSize, '\0');
    ssize_t got = ::send(fd_.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
    if (got >= 0) {
        got = ::recv(fd_.get(), answer.data(), answer.size(), 0);
    }
    if (got < 0 && errno == EAGAIN) {
        return base::fail("no-answer", "execd does not answer");
    }
    if (got <= 0) {
        return base::fail("control", ::geteuid() == 0 ? "execd does not answer"
                                                      : "execd refuses: only root may do this");
    }
    answer.resize(static_cast<std::size_t>(got));
    return base::decode_reply(answer);
}

}  // namespace portcullis::programs
