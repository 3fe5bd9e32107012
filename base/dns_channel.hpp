// DnsChannel: asks name servers on an event loop, without waiting.
//
// Only connects c-ares with the loop. The owner decides what may be asked, how often, and how long
// an answer is valid; it also checks the content of answers, which strangers write.
// Single-threaded.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace portcullis::base {

struct DnsServer {
    IpAddress address;
    std::uint16_t port = 53;
};

struct DnsSettings {
    std::vector<DnsServer> servers;           // none: those of resolv.conf(5)
    std::chrono::milliseconds timeout{2000};  // of the first try; later ones wait longer
    int tries = 2;
};

// Nothing = there is no such name, or it has no such record. That is an answer, not a failure.
enum class DnsStatus { Answer, Nothing, Failed };

// "1.2.0.192.in-addr.arpa", "1.0.0. … .8.b.d.0.1.0.0.2.ip6.arpa" (RFC 1035 section 3.5, RFC 3596).
std::string ptr_question(const IpAddress& address);

class DnsChannel {
  public:
    // `loop` must outlive it. Error "no-resolver".
    static Result<std::unique_ptr<DnsChannel>> open(EventLoop& loop, const DnsSettings& settings);
    // Gives up all open questions without calling back.
    ~DnsChannel();
    DnsChannel(const DnsChannel&) = delete;
    DnsChannel& operator=(const DnsChannel&) = delete;

    // Asks for the PTR record of `address`. `on_message` is called once, perhaps before this
    // returns. It gets the whole message, which is valid during the call, and empty unless the
    // status is Answer or Nothing.
    using OnMessage = std::function<void(DnsStatus, std::span<const std::uint8_t>)>;
    void ask_name(const IpAddress& address, OnMessage on_message);

    // Asks DNS for the IPv4 or IPv6 addresses of `name`; /etc/hosts is not read.
    using OnAddresses = std::function<void(DnsStatus, const std::vector<IpAddress>&)>;
    void ask_addresses(const std::string& name, bool wants_v4, OnAddresses on_addresses);

    // Whether one of the last sockets of this channel had this local port.
    bool has_used_port(std::uint16_t port) const;

  private:
    explicit DnsChannel(EventLoop& loop);
    void on_socket(int fd, bool reads, bool writes);
    void process(int read_fd, int write_fd);
    void arm_timer();
    void note_local_port(int fd);

    struct Handle;  // of c-ares
    EventLoop& loop_;
    bool is_closing_ = false;
    std::map<int, EventLoop::Source> sockets_;
    EventLoop::Source timer_;
    std::array<std::uint16_t, 32> local_ports_{};
    std::size_t next_port_ = 0;
    std::unique_ptr<Handle> handle_;
};

}  // namespace portcullis::base
