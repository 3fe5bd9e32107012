// ExecdConnection: sends requests of portcullis-control to a running execd, and waits for replies.
#pragma once

#include <chrono>
#include <string>

#include "base/fd.hpp"
#include "base/response_message.hpp"
#include "base/result.hpp"

namespace portcullis::programs {

class ExecdConnection {
  public:
    // The longest wait for a reply. Many undos by scripts take minutes.
    static constexpr std::chrono::seconds kReplyLimit{600};

    explicit ExecdConnection(const std::string& path);
    // false = no execd listens.
    bool is_connected() const { return static_cast<bool>(fd_); }
    // Sends `message` and returns its reply. REQUIRES: is_connected(), and `message` is one that
    // has a reply. Error "control": execd does not answer, or only root may ask.
    base::Result<base::Reply> ask(const base::ResponseMessage& message) const;

  private:
    base::UniqueFd fd_;
};

}  // namespace portcullis::programs
