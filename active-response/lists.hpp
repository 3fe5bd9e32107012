// Lists: the requests "list" that are not answered yet. One is carried out at a time, in slices
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
    // -1 = there is nothing to wait for.
    int fd() const { return walk_ ? walk_->fd() : -1; }

    // Begins what waits. The result is to be written.
    std::string begin(BanSets& sets);
    // Reads one slice, and begins the next request after the last one. The result is to be written.
    std::string go_on(BanSets& sets);

  private:
    std::string answer_one(BanSets& sets, const Request& request);

    Hold& hold_;
    std::deque<Request> waiting_;
    std::optional<HeldWalk> walk_;  // for the first that waits
};

}  // namespace portcullis::active_response
