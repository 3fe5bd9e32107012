// HeldWalk: reads all elements of the sets, including those of others. It reads in slices, since
// hundreds of thousands of elements take a second, and a ban must not wait that long. Elements that
// are added or removed in the meantime may be missing or come twice. Single-threaded.
#pragma once

#include <cstdint>
#include <vector>

#include "active-response/nf_netlink.hpp"
#include "active-response/table_form.hpp"

namespace portcullis::active_response {

class HeldWalk {
  public:
    // Errors "no-netlink", "not-read".
    static base::Result<HeldWalk> start();
    int fd() const { return socket_.fd(); }  // readable when there is a slice
    // Appends one slice to `held`. Returns false if it was the last. Error "not-read".
    base::Result<bool> read_slice(std::vector<Held>& held);

  private:
    HeldWalk(NfSocket socket, std::vector<SetId> sets)
        : socket_(std::move(socket)), sets_(std::move(sets)) {}
    // Requests the current set. Returns 0 or an errno.
    int ask();
    // Requests the next set. Returns false if there is none.
    base::Result<bool> go_on();

    NfSocket socket_;
    std::vector<SetId> sets_;
    std::uint32_t sequence_ = 0;
    std::size_t set_ = 0;  // index of the set that is read
    int restarts_ = 0;     // of this set, after changes by others
    bool was_changed_ = false;
};

}  // namespace portcullis::active_response
