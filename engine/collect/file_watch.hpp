// FileWatch: reports which of some files and folders changed (inotify).
//
// Keys are chosen by the caller. One key may watch several files, and several keys the same file
// (inotify gives both one watch). Single-threaded. Where inotify does not work (the limit of
// instances or watches is reached, or other hosts write to the file system), add_file() and
// add_folder() return false, and the caller polls.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.hpp"

namespace portcullis::collect {

class FileWatch {
  public:
    using Key = std::uint64_t;
    enum class Change {
        Content,  // something was written
        Name,     // a name may now lead elsewhere: created, removed, renamed, other permissions
    };

    // `enabled` false: as in a kernel without inotify (tests).
    explicit FileWatch(bool enabled = true);

    // The descriptor to wait for with EPOLLIN; -1 = inotify does not work at all.
    int fd() const { return inotify_.get(); }

    // Reports changes of the content of the open file `fd`, and of its own names: a folder that
    // its user may enter but not read cannot be watched.
    bool add_file(int fd, Key key);
    // Reports files that appear in a folder, disappear from it or change their permissions.
    bool add_folder(const std::string& path, Key key);
    // Ends all watches of `key`.
    void remove(Key key);

    // Takes all waiting events and calls `on_change` once for each affected key; Name includes
    // Content. `on_lost` is called if the kernel dropped events: anything may have changed.
    void take_events(const std::function<void(Key, Change)>& on_change,
                     const std::function<void()>& on_lost);

  private:
    bool add(const std::string& path, std::uint32_t mask, Key key);

    base::UniqueFd inotify_;
    std::unordered_map<int, std::vector<Key>> keys_of_watch_;
};

}  // namespace portcullis::collect
