#include "active-response/hold_trial.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/capability.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <thread>

#include "active-response/hold_table.hpp"
#include "active-response/run_nft.hpp"
#include "base/capabilities.hpp"
#include "base/fd.hpp"

namespace portcullis::active_response {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Mac = std::array<std::uint8_t, 6>;

// Addresses of the documentation (RFC 5737): they exist in the namespace alone.
constexpr const char* kTarget = "192.0.2.2";
constexpr const char* kProber = "192.0.2.1";
constexpr const char* kNear = "hold-prober";
constexpr const char* kFar = "hold-target";
constexpr Mac kNearMac{2, 0, 0, 0, 0, 1};
constexpr Mac kFarMac{2, 0, 0, 0, 0, 2};
constexpr milliseconds kStepLimit{2000};
constexpr milliseconds kLook{3};
constexpr std::uint16_t kFirstPort = 1001;
constexpr int kAttempts = 2;

std::string error_text() { return std::generic_category().message(errno); }

// Moves this process, and so nft(8), into a network namespace of its own. Without CAP_SYS_ADMIN
// that needs a user namespace. There this process has every capability, but no user: to be root
// there, it would need CAP_SETFCAP here (user_namespaces(7)), which a responder does not have.
// Returns the reason of a failure; empty = it is done.
std::string enter_namespace() {
    if (::unshare(CLONE_NEWNET) == 0) {
        return {};
    }
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return "no network namespace can be made: " + error_text();
    }
    const auto passed_on = base::pass_on_capability(CAP_NET_ADMIN);
    return passed_on ? std::string() : passed_on.error().message;
}

// Makes the pair of interfaces. Returns 0 or an errno.
int make_pair() {
    const std::unique_ptr<mnl_socket, int (*)(mnl_socket*)> socket(
        mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC), mnl_socket_close);
    if (socket == nullptr || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
        return errno;
    }
    alignas(nlmsghdr) std::array<char, 1024> buffer{};
    auto* header = mnl_nlmsg_put_header(buffer.data());
    header->nlmsg_type = RTM_NEWLINK;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    header->nlmsg_seq = 1;
    mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, kNear);
    mnl_attr_put(header, IFLA_ADDRESS, kNearMac.size(), kNearMac.data());
    auto* info = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_str(header, IFLA_INFO_KIND, "veth");
    auto* data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    auto* peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, kFar);
    mnl_attr_put(header, IFLA_ADDRESS, kFarMac.size(), kFarMac.data());
    mnl_attr_nest_end(header, peer);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, info);
    if (mnl_socket_sendto(socket.get(), header, header->nlmsg_len) < 0) {
        return errno;
    }
    const auto got = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (got < 0) {
        return errno;
    }
    const auto* reply = reinterpret_cast<const nlmsghdr*>(buffer.data());
    return mnl_nlmsg_ok(reply, static_cast<int>(got)) && reply->nlmsg_type == NLMSG_ERROR
               ? -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(reply))->error
               : EPROTO;
}

ifreq request_about(const char* interface) {
    ifreq request{};
    std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
    return request;
}

bool set_address(int fd, unsigned long what, const char* address) {
    ifreq request = request_about(kFar);
    sockaddr_in value{};
    value.sin_family = AF_INET;
    ::inet_pton(AF_INET, address, &value.sin_addr);
    std::memcpy(&request.ifr_addr, &value, sizeof value);
    return ::ioctl(fd, what, &request) == 0;
}

bool bring_up(int fd, const char* interface) {
    ifreq request = request_about(interface);
    request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST;
    return ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

// Prepares the namespace. Returns the reason of a failure; empty = it is done.
std::string make_network() {
    if (auto problem = enter_namespace(); !problem.empty()) {
        return problem;
    }
    if (const int error = make_pair(); error != 0) {
        return "no pair of interfaces can be made: " + std::generic_category().message(error);
    }
    const base::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!bring_up(fd.get(), kNear) || !bring_up(fd.get(), kFar) ||
        !set_address(fd.get(), SIOCSIFADDR, kTarget) ||
        !set_address(fd.get(), SIOCSIFNETMASK, "255.255.255.0")) {
        return "the interfaces of the trial cannot be set up: " + error_text();
    }
    return {};
}

void put16(std::uint8_t* at, unsigned value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}

// The checksum of RFC 1071 over an even number of bytes.
unsigned checksum(const std::uint8_t* bytes, std::size_t size, unsigned sum = 0) {
    for (std::size_t i = 0; i < size; i += 2) {
        sum += static_cast<unsigned>(bytes[i] << 8 | bytes[i + 1]);
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum & 0xffff;
}

// A SYN without DF: no connect() of a kernel sends it.
std::array<std::uint8_t, 54> probe_of(std::uint16_t port) {
    std::array<std::uint8_t, 54> frame{};
    std::copy(kFarMac.begin(), kFarMac.end(), frame.begin());
    std::copy(kNearMac.begin(), kNearMac.end(), frame.begin() + 6);
    put16(&frame[12], ETH_P_IP);
    std::uint8_t* ip = &frame[14];
    ip[0] = 0x45;
    put16(ip + 2, 40);
    ip[8] = 64;
    ip[9] = IPPROTO_TCP;
    ::inet_pton(AF_INET, kProber, ip + 12);
    ::inet_pton(AF_INET, kTarget, ip + 16);
    put16(ip + 10, checksum(ip, 20));
    std::uint8_t* tcp = ip + 20;
    put16(tcp, 61000);
    put16(tcp + 2, port);
    tcp[7] = 1;  // sequence number
    tcp[12] = 5 << 4;
    tcp[13] = 0x02;
    put16(tcp + 14, 1024);
    unsigned pseudo = IPPROTO_TCP + 20;
    for (std::size_t i = 12; i < 20; i += 2) {
        pseudo += static_cast<unsigned>(ip[i] << 8 | ip[i + 1]);
    }
    put16(tcp + 16, checksum(tcp, 20, pseudo));
    return frame;
}

template <typename Condition>
bool wait_until(Condition condition) {
    const auto deadline = steady_clock::now() + kStepLimit;
    while (!condition()) {
        if (steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(kLook);
    }
    return true;
}

// Returns why `form` does not work in this namespace; empty = it works.
std::string problem_of(const HoldSettings& settings, const HoldForm& form, HoldTable& table) {
    if (auto made = run_nft(hold_script(settings, form)); !made) {
        return made.error().message;
    }
    const base::UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(::if_nametoindex(kNear));
    to.sll_halen = ETH_ALEN;
    bool are_sent = static_cast<bool>(fd);
    std::uint16_t port = kFirstPort;
    const auto send = [&](int count) {
        for (; count > 0; --count) {
            const auto frame = probe_of(port++);
            are_sent = ::sendto(fd.get(), frame.data(), frame.size(), 0,
                                reinterpret_cast<const sockaddr*>(&to),
                                sizeof to) == static_cast<ssize_t>(frame.size()) &&
                       are_sent;
        }
    };
    const auto is_held = [&] {
        const auto held = table.held(settings.config.ipv6_prefix);
        return held && !held->empty();
    };
    const int enough = ports_until_hold(settings, form);
    const auto before = static_cast<std::size_t>(enough - 1);
    send(enough - 1);
    if (!are_sent) {
        return "the packets of the trial cannot be sent: " + error_text();
    }
    if (!wait_until([&] { return table.pair_count() >= before; })) {
        return fmt::format("it counts {} of {} closed ports", table.pair_count(), before);
    }
    if (is_held()) {
        return fmt::format("it holds a source after fewer than {} closed ports", enough);
    }
    // The same number again, since the bucket of the source may have refilled a little.
    send(2 * enough);
    if (!wait_until(is_held)) {
        return fmt::format("it does not hold a source after {} closed ports", 3 * enough - 1);
    }
    return {};
}

Trial try_here(HoldSettings settings, const std::vector<HoldForm>& forms) {
    Trial trial;
    trial.problem = make_network();
    if (!trial.problem.empty()) {
        return trial;
    }
    trial.was_possible = true;
    settings.spared.clear();
    settings.on_link6.clear();
    auto table = HoldTable::open();
    if (!table) {
        trial.problem = table.error().message;
        return trial;
    }
    // For tests: the first N forms count as failed.
    const char* forced =
        std::getenv("PORTCULLIS_HOLD_FAILED_FORMS");  // NOLINT(concurrency-mt-unsafe)
    const auto failed =
        static_cast<std::size_t>(forced != nullptr ? std::strtoul(forced, nullptr, 10) : 0);
    for (std::size_t i = 0; i < forms.size(); ++i) {
        std::string problem;
        if (i < failed) {
            problem = "PORTCULLIS_HOLD_FAILED_FORMS says so";
        } else {
            for (int attempt = 0; attempt < kAttempts; ++attempt) {
                problem = problem_of(settings, forms[i], *table);
                if (problem.empty()) {
                    break;
                }
            }
        }
        if (trial.problem.empty()) {
            trial.problem = problem;
        }
        if (problem.empty()) {
            trial.form = i;
            trial.form_text = table->form().value_or("");
            return trial;
        }
    }
    return trial;
}

}  // namespace

Trial try_hold(const HoldSettings& settings, const std::vector<HoldForm>& forms) {
    Trial trial;
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
        trial.problem = error_text();
        return trial;
    }
    const base::UniqueFd from(pipe[0]);
    base::UniqueFd to(pipe[1]);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        end_with(parent);
        const Trial own = try_here(settings, forms);
        json answer = {
            {"possible", own.was_possible}, {"text", own.form_text}, {"problem", own.problem}};
        if (own.form) {
            answer["form"] = *own.form;
        }
        base::write_all(to.get(), answer.dump(-1, ' ', false, json::error_handler_t::replace));
        ::_exit(0);
    }
    to.reset();
    std::string text;
    std::array<char, 4096> buffer;
    for (ssize_t got = 0; (got = ::read(from.get(), buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    while (child > 0 && ::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    const json answer = json::parse(text, nullptr, false);
    if (!answer.is_object()) {
        trial.problem = "the process of the trial ended without an answer";
        return trial;
    }
    trial.was_possible = answer.value("possible", false);
    trial.form_text = answer.value("text", "");
    trial.problem = answer.value("problem", "");
    if (answer.contains("form")) {
        trial.form = answer.value("form", std::size_t{0});
    }
    return trial;
}

}  // namespace portcullis::active_response
