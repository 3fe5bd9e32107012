// ExecdConnection: portcullis-control's questions to a running execd.
#pragma once

#include <chrono>
#include <string>

#include "base/fd.hpp"
#include "base/response_message.hpp"
#include "base/result.hpp"

namespace portcullis::programs {

class ExecdConnection {
  public:
    // Undoing very many bans by scripts takes long; the kernel's sets take no time.
    static constexpr std::chrono::seconds kReplyLimit{600};

    explicit ExecdConnection(const std::string& path);
    // false = no execd listens.
    bool is_connected() const { return static_cast<bool>(fd_); }
    // REQUIRES: is_connected(), and `message` is one that has a reply. Error "control": there is no
    // answer, or only root may ask.
    base::Result<base::Reply> ask(const base::ResponseMessage& message) const;

  private:
    base::UniqueFd fd_;
};

}  // namespace portcullis::programs
