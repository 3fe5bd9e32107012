#include "engine/execd/host_names.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

namespace portcullis::execd {
namespace {

constexpr std::chrono::seconds kInterval{60};

std::vector<base::IpAddress> addresses_of(const std::string& name) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(name.c_str(), nullptr, &wanted, &found) != 0) {
        return {};
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    std::vector<base::IpAddress> addresses;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        if (each->ai_family == AF_INET) {
            std::array<std::uint8_t, 4> v4{};
            std::memcpy(v4.data(), &reinterpret_cast<const sockaddr_in*>(each->ai_addr)->sin_addr,
                        v4.size());
            addresses.push_back(base::IpAddress::v4(v4));
        } else if (each->ai_family == AF_INET6) {
            std::array<std::uint8_t, 16> v6{};
            std::memcpy(v6.data(), &reinterpret_cast<const sockaddr_in6*>(each->ai_addr)->sin6_addr,
                        v6.size());
            addresses.push_back(base::IpAddress::v6(v6));
        }
    }
    return addresses;
}

}  // namespace

struct HostNames::Shared {
    std::vector<std::string> names;
    base::UniqueFd event;

    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::string, std::vector<base::IpAddress>> addresses;
    bool has_looked = false;
    bool has_new_names = false;
    bool is_over = false;
};

HostNames::HostNames(std::vector<std::string> names, std::chrono::milliseconds patience) {
    if (names.empty()) {
        return;
    }
    shared_ = std::make_shared<Shared>();
    shared_->names = std::move(names);
    shared_->event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    // The thread of the event loop handles the signals.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread([shared = shared_] { look_up_forever(shared); }).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait_for(lock, patience, [&] { return shared_->has_looked; });
}

HostNames::~HostNames() {
    if (shared_ != nullptr) {
        const std::lock_guard lock(shared_->mutex);
        shared_->is_over = true;
        shared_->changed.notify_all();
    }
}

void HostNames::look_up_forever(const std::shared_ptr<Shared>& shared) {
    for (;;) {
        bool has_changed = false;
        std::vector<std::string> names;
        {
            const std::lock_guard lock(shared->mutex);
            names = shared->names;
            shared->has_new_names = false;
        }
        for (const auto& name : names) {
            auto found = addresses_of(name);
            const std::lock_guard lock(shared->mutex);
            if (shared->is_over) {
                return;
            }
            if (shared->has_new_names) {
                break;  // the HostNames may have ended
            }
            auto& known = shared->addresses[name];
            if (!found.empty() && found != known) {
                known = std::move(found);
                has_changed = true;
            }
        }
        std::unique_lock lock(shared->mutex);
        shared->has_looked = true;
        shared->changed.notify_all();
        if (has_changed) {
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto written = ::write(shared->event.get(), &one, sizeof one);
        }
        shared->changed.wait_for(lock, kInterval,
                                 [&] { return shared->is_over || shared->has_new_names; });
        if (shared->is_over) {
            return;
        }
    }
}

void HostNames::set_names(std::vector<std::string> names) {
    const std::lock_guard lock(shared_->mutex);
    for (auto it = shared_->addresses.begin(); it != shared_->addresses.end();) {
        const bool stays = std::find(names.begin(), names.end(), it->first) != names.end();
        it = stays ? std::next(it) : shared_->addresses.erase(it);
    }
    shared_->names = std::move(names);
    shared_->has_new_names = true;
    shared_->changed.notify_all();
}

void HostNames::for_each(
    const std::function<void(const base::IpAddress&, const std::string&)>& on_address) const {
    if (shared_ == nullptr) {
        return;
    }
    const std::lock_guard lock(shared_->mutex);
    for (const auto& [name, addresses] : shared_->addresses) {
        for (const auto& each : addresses) {
            on_address(each, name);
        }
    }
}

int HostNames::fd() const { return shared_ == nullptr ? -1 : shared_->event.get(); }

void HostNames::take_news() const {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(fd(), &count, sizeof count);
}

std::string HostNames::name_of(const base::Cidr& target) const {
    if (shared_ == nullptr) {
        return {};
    }
    const std::lock_guard lock(shared_->mutex);
    for (const auto& [name, addresses] : shared_->addresses) {
        for (const auto& each : addresses) {
            if (target.contains(each)) {
                return name;
            }
        }
    }
    return {};
}

}  // namespace portcullis::execd
