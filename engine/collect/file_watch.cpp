#include "engine/collect/file_watch.hpp"

#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>

namespace portcullis::collect {
namespace {

// File systems whose files can change without the kernel noticing. Magic numbers that
// <linux/magic.h> lacks: statfs(2).
constexpr std::array<std::uint32_t, 9> kUnwatchable{
    NFS_SUPER_MAGIC,       SMB_SUPER_MAGIC,  0xff534d42 /* CIFS */,
    0xfe534d42 /* SMB2 */, FUSE_SUPER_MAGIC, V9FS_MAGIC,
    CEPH_SUPER_MAGIC,      AFS_SUPER_MAGIC,  CODA_SUPER_MAGIC};

bool is_watchable(const std::string& path) {
    struct statfs status {};
    if (::statfs(path.c_str(), &status) != 0) {
        return true;  // inotify_add_watch will say
    }
    return std::find(kUnwatchable.begin(), kUnwatchable.end(),
                     static_cast<std::uint32_t>(status.f_type)) == kUnwatchable.end();
}

}  // namespace

FileWatch::FileWatch(bool enabled)
    : inotify_(enabled ? ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1) {}

bool FileWatch::add_file(int fd, Key key) {
    // By descriptor: the path may lead elsewhere by now.
    return add("/proc/self/fd/" + std::to_string(fd), IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF, key);
}

bool FileWatch::add_folder(const std::string& path, Key key) {
    return add(path,
               IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF |
                   IN_MOVE_SELF | IN_ONLYDIR,
               key);
}

bool FileWatch::add(const std::string& path, std::uint32_t mask, Key key) {
    if (!inotify_ || !is_watchable(path)) {
        return false;
    }
    const int watch = ::inotify_add_watch(inotify_.get(), path.c_str(), mask | IN_MASK_ADD);
    if (watch < 0) {
        return false;
    }
    auto& keys = keys_of_watch_[watch];
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
        keys.push_back(key);
    }
    return true;
}

void FileWatch::remove(Key key) {
    for (auto entry = keys_of_watch_.begin(); entry != keys_of_watch_.end();) {
        auto& keys = entry->second;
        keys.erase(std::remove(keys.begin(), keys.end(), key), keys.end());
        if (keys.empty()) {
            ::inotify_rm_watch(inotify_.get(), entry->first);
            entry = keys_of_watch_.erase(entry);
        } else {
            ++entry;
        }
    }
}

void FileWatch::take_events(const std::function<void(Key, Change)>& on_change,
                            const std::function<void()>& on_lost) {
    std::map<Key, Change> changed;
    bool lost = false;
    alignas(inotify_event) std::array<char, 16384> buffer;
    for (;;) {
        const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            at += sizeof event + event.len;
            lost = lost || (event.mask & IN_Q_OVERFLOW) != 0;
            const auto entry = keys_of_watch_.find(event.wd);
            if (entry == keys_of_watch_.end()) {
                continue;
            }
            for (const Key key : entry->second) {
                Change& change = changed.try_emplace(key, Change::Content).first->second;
                change = event.mask == IN_MODIFY ? change : Change::Name;
            }
            if ((event.mask & IN_IGNORED) != 0) {
                keys_of_watch_.erase(entry);  // the kernel removed the watch with its file
            }
        }
    }
    for (const auto& [key, change] : changed) {
        on_change(key, change);
    }
    if (lost) {
        on_lost();
    }
}

}  // namespace portcullis::collect
