#include "active-response/home_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace portcullis::active_response {
namespace {

constexpr const char* kFolder = "/run/portcullis";
constexpr std::size_t kMaxText = 5000;

// Makes the folder if it is missing. Returns whether only this user can write to it.
bool is_safe_folder(const std::string& folder) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return false;
    }
    struct stat status {};
    return ::lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
           status.st_uid == ::geteuid() && (status.st_mode & 022) == 0 &&
           ::access(folder.c_str(), W_OK) == 0;
}

// Returns the folder of the lock; empty = there is none.
std::string lock_folder() {
    if (is_safe_folder(kFolder)) {
        return kFolder;
    }
    const std::string own = fmt::format("/tmp/portcullis-{}", ::geteuid());
    return is_safe_folder(own) ? own : std::string();
}

}  // namespace

std::string home_of(const std::string& program) {
    namespace fs = std::filesystem;
    std::error_code error;
    fs::path path(program);
    if (!path.is_absolute()) {
        path = fs::read_symlink("/proc/self/exe", error);
    }
    const fs::path folder = fs::weakly_canonical(path.parent_path(), error);
    const fs::path& bin = error ? path.parent_path() : folder;
    return bin.filename() == "bin" && bin.parent_path().filename() == "active-response"
               ? bin.parent_path().parent_path().string()
               : bin.string();
}

base::Result<void> HomeLock::take(For what) {
    if (file_) {
        return {};
    }
    const std::string folder = folder_.empty() ? lock_folder() : folder_;
    struct stat space {};
    if (folder.empty() || ::stat("/proc/self/ns/net", &space) != 0) {
        return {};
    }
    const std::string path = fmt::format("{}/firewall-{}.lock", folder, space.st_ino);
    base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) {
        return {};
    }
    if (::flock(file.get(), (what == For::Process ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) {
        if (what == For::Process) {
            const std::string text = fmt::format("{} {}\n", ::getpid(), home_);
            if (::ftruncate(file.get(), 0) == 0) {
                base::write_all(file.get(), text);
            }
            file_ = std::move(file);
        }
        return {};
    }
    std::string text = base::read_file(path, kMaxText).value_or("");
    text.resize(std::min(text.find('\n'), text.size()));
    const auto blank = text.find(' ');
    const std::string process = text.substr(0, blank);
    const std::string home = blank == std::string::npos ? "" : text.substr(blank + 1);
    if (home == home_) {
        return {};
    }
    return base::fail(
        "other-home",
        fmt::format(
            "the firewall of this host is in use by the home {} (process {}): one home at a time",
            home.empty() ? "of another process" : home, process.empty() ? "unknown" : process));
}

}  // namespace portcullis::active_response
