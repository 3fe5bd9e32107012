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

    // `limit`: the longest wait for execd to take the connection, to take a request, and to reply.
    // REQUIRES: it is more than 0.
    explicit ExecdConnection(const std::string& path,
                             std::chrono::milliseconds limit = kReplyLimit);
    // false = no execd listens, or is_overdue().
    bool is_connected() const { return static_cast<bool>(fd_); }
    // An execd listens, but did not take the connection within the limit.
    bool is_overdue() const { return is_overdue_; }
    // Sends `message` and returns its reply. REQUIRES: is_connected(), and `message` is one that
    // has a reply. Errors: "no-answer" = the limit is over; "control" = execd closed the
    // connection, which it does if a user other than root asks.
    base::Result<base::Reply> ask(const base::ResponseMessage& message) const;

  private:
    base::UniqueFd fd_;
    bool is_overdue_ = false;
};

}  // namespace portcullis::programs
