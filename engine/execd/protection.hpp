// Protection: the seam between Executor and the list of addresses that are never blocked.
#pragma once

#include <optional>
#include <string>

#include "engine/base/ip_address.hpp"

namespace portcullis::execd {

class Protection {
  public:
    virtual ~Protection() = default;
    // Why `target` (an address or a network) must not be blocked ("own address", "next hop of a
    // route", …), for a person; nullopt = it may be. A network must not be if any address in it
    // must not. Answers by the state of the host at this moment.
    virtual std::optional<std::string> reason_to_spare(const base::Cidr& target) = 0;
    // The same by the lists alone, without looking for sessions of `target`: cheap enough to ask
    // for every ban of a full table.
    virtual std::optional<std::string> standing_reason(const base::Cidr& target) = 0;
};

}  // namespace portcullis::execd
