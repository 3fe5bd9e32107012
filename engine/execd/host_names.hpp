// HostNames: the addresses of the host names of <white_list>. A thread of its own looks them up,
// since a lookup may take long, and repeats that every minute.
//
// An address stays known while its name cannot be resolved, so that it stays protected while a
// nameserver is down. Call all functions from one thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/ip_address.hpp"

namespace portcullis::execd {

class HostNames {
  public:
    // Starts the thread, and waits up to `patience` for the first answers. Without names there is
    // no thread.
    explicit HostNames(std::vector<std::string> names,
                       std::chrono::milliseconds patience = std::chrono::milliseconds(2000));
    // Does not wait for the thread, which ends after its current lookup.
    ~HostNames();
    HostNames(const HostNames&) = delete;
    HostNames& operator=(const HostNames&) = delete;

    // Replaces the names, and keeps the addresses of those that stay. Does not wait: the addresses
    // of new names follow later, as changes. REQUIRES: there were names before.
    void set_names(std::vector<std::string> names);

    // Readable after the addresses have changed; -1 = there are no names.
    int fd() const;
    // Acknowledges what made fd() readable.
    void take_news() const;
    // The name whose addresses include one in `target`; empty = there is none.
    std::string name_of(const base::Cidr& target) const;
    // Calls on_address(address, name) for each address of each name.
    void for_each(
        const std::function<void(const base::IpAddress&, const std::string&)>& on_address) const;

  private:
    struct Shared;
    static void look_up_forever(const std::shared_ptr<Shared>& shared);
    std::shared_ptr<Shared> shared_;  // with the thread
};

}  // namespace portcullis::execd
