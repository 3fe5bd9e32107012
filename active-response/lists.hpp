// Lists: the `list` requests that are not answered yet. One is answered at a time, in slices
// between which other requests are served. Single-threaded.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "active-response/ban_sets.hpp"
#include "active-response/held_walk.hpp"
#include "active-response/hold.hpp"
#include "active-response/request.hpp"

namespace portcullis::active_response {

class Lists {
  public:
    // `hold` must outlive this.
    explicit Lists(Hold& hold) : hold_(hold) {}
    void add(const Request& request) { waiting_.push_back(request); }
    // -1 = there is no descriptor to wait for.
    int fd() const { return walk_ ? walk_->fd() : -1; }

    // Begins the first request that waits. Returns the lines to write.
    std::string begin(BanSets& sets);
    // Reads one slice; after the last one, begins the next request. Returns the lines to write.
    std::string go_on(BanSets& sets);

  private:
    std::string answer_one(BanSets& sets, const Request& request);

    Hold& hold_;
    std::deque<Request> waiting_;
    std::optional<HeldWalk> walk_;  // of the request that is answered
};

}  // namespace portcullis::active_response
