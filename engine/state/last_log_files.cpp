#include "engine/state/last_log_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "base/fd.hpp"

namespace portcullis::state {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFileName = "last-entry";
// Names of folders have at most 255 bytes.
constexpr std::size_t kMaxFolderName = 200;
// Entries of a folder beyond this number are ignored.
constexpr std::size_t kMaxFoldersRead = 100'000;

bool is_plain(char c) {
    return base::is_alphanumeric(c) || c == '-' || c == '_' || c == ':' || c == '.';
}

std::uint64_t fnv_hash(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    return hash;
}

// A file that may hold a last log.
struct Candidate {
    std::string host;
    int rule_id = 0;
    timespec time{};
};

std::optional<int> rule_id_of(const std::string& name) {
    int id = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    const bool is_id = error == std::errc{} && end == name.data() + name.size() && id > 0;
    return is_id ? std::optional(id) : std::nullopt;
}

std::optional<Candidate> find_candidate(const fs::path& rule_folder) {
    const auto rule_id = rule_id_of(rule_folder.filename());
    struct stat status {};
    if (!rule_id || ::lstat((rule_folder / kFileName).c_str(), &status) != 0 ||
        !S_ISREG(status.st_mode)) {
        return std::nullopt;
    }
    return Candidate{rule_folder.parent_path().filename(), *rule_id, status.st_mtim};
}

std::optional<std::string> read_last_log(const std::string& path) {
    const base::UniqueFd fd(
        ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    if (!fd) {
        return std::nullopt;
    }
    std::string log(LastLogFiles::kMaxLogBytes + 1, '\0');
    const ssize_t size = ::pread(fd.get(), log.data(), log.size(), 0);
    log.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    while (log.ends_with('\n')) {
        log.pop_back();
    }
    return log.size() < LastLogFiles::kMaxLogBytes ? std::optional(std::move(log)) : std::nullopt;
}

// Walks the folders two deep: <host>/<rule id>.
class Walk {
  public:
    void hosts(const fs::path& folder) {
        error_ = each_folder(folder, [this](const fs::path& host) {
            each_folder(host, [this](const fs::path& rule) {
                if (auto candidate = find_candidate(rule)) {
                    found_.push_back(std::move(*candidate));
                }
            });
        });
    }
    std::error_code error() const { return error_; }
    // The newest last.
    std::vector<Candidate> take() {
        std::sort(found_.begin(), found_.end(), [](const Candidate& a, const Candidate& b) {
            return std::pair(a.time.tv_sec, a.time.tv_nsec) <
                   std::pair(b.time.tv_sec, b.time.tv_nsec);
        });
        return std::move(found_);
    }

  private:
    template <class Visit>
    std::error_code each_folder(const fs::path& parent, Visit visit) {
        std::error_code error;
        for (fs::directory_iterator entry(parent, error);
             !error && entry != fs::directory_iterator() && ++walked_ < kMaxFoldersRead;
             entry.increment(error)) {
            std::error_code of_the_entry;
            if (entry->symlink_status(of_the_entry).type() == fs::file_type::directory) {
                visit(entry->path());
            }
        }
        return error;
    }

    std::vector<Candidate> found_;
    std::error_code error_;
    std::size_t walked_ = 0;
};

}  // namespace

std::string folder_name_of(std::string_view host) {
    if (host.empty()) {
        return "%";
    }
    std::string name;
    for (const char c : host.substr(0, kMaxFolderName)) {
        if (is_plain(c) && !(c == '.' && name.empty())) {
            name += c;
        } else {
            name += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    if (host.size() > kMaxFolderName || name.size() > kMaxFolderName) {
        constexpr std::size_t kKept = kMaxFolderName / 2;
        name = fmt::format("{}%~{:016x}", name.substr(0, kKept), fnv_hash(host));
    }
    return name;
}

LastLogFiles::LastLogFiles(std::string folder, rules::LastLogs::Limits limits)
    : folder_(std::move(folder)),
      limits_(limits),
      logs_(limits, [this](std::string_view host, int rule_id) { on_evicted(host, rule_id); }) {}

base::Result<void> LastLogFiles::load() {
    Walk walk;
    walk.hosts(folder_);
    if (walk.error() && walk.error() != std::errc::no_such_file_or_directory) {
        return base::fail("unreadable-file", "cannot read the folder: " + walk.error().message(),
                          {folder_});
    }
    const std::vector<Candidate> found = walk.take();
    for (std::size_t i = 0; i < found.size(); ++i) {
        Key key(found[i].host, found[i].rule_id);
        if (i + limits_.logs < found.size()) {
            dead_.insert(std::move(key));  // more than there is room for
        } else if (const auto log = read_last_log(path_of(key))) {
            on_disk_.insert(key);
            logs_.exchange(key.first, key.second, *log);
        }
    }
    return {};
}

std::optional<std::string> LastLogFiles::exchange(std::string_view host, int rule_id,
                                                  std::string_view log) {
    const Key key(folder_name_of(host), rule_id);
    auto previous = logs_.exchange(key.first, rule_id, log);
    if (!previous || *previous != log) {
        changed_.insert(key);
        if (dead_.erase(key) > 0) {
            on_disk_.insert(key);
        }
    }
    return previous;
}

void LastLogFiles::on_evicted(std::string_view host, int rule_id) {
    const Key key(host, rule_id);
    changed_.erase(key);
    if (on_disk_.erase(key) > 0) {
        dead_.insert(key);
    }
}

base::Result<void> LastLogFiles::flush() {
    std::size_t budget = kFilesPerFlush;
    for (; budget > 0 && !dead_.empty(); --budget) {
        remove(*dead_.begin());
        dead_.erase(dead_.begin());
    }
    for (; budget > 0 && !changed_.empty(); --budget) {
        if (auto written = write(Key(*changed_.begin()), base::Durability::Process); !written) {
            return written;
        }
    }
    return {};
}

base::Result<void> LastLogFiles::sync() {
    for (; !dead_.empty(); dead_.erase(dead_.begin())) {
        remove(*dead_.begin());
    }
    while (!changed_.empty()) {
        if (auto written = write(Key(*changed_.begin()), base::Durability::Machine); !written) {
            return written;
        }
    }
    return {};
}

std::string LastLogFiles::rule_folder(const Key& key) const {
    return fmt::format("{}/{}/{}", folder_, key.first, key.second);
}

std::string LastLogFiles::path_of(const Key& key) const {
    return fmt::format("{}/{}", rule_folder(key), kFileName);
}

base::Result<void> LastLogFiles::write(const Key& key, base::Durability durability) {
    if (const std::string* log = logs_.find(key.first, key.second)) {
        for (const std::string& folder : {folder_, folder_ + "/" + key.first, rule_folder(key)}) {
            ::mkdir(folder.c_str(), 0750);  // an error shows below
        }
        auto written = base::write_file_atomically(path_of(key), *log, 0640, durability);
        if (!written) {
            return written;
        }
        on_disk_.insert(key);
    }
    changed_.erase(key);
    return {};
}

void LastLogFiles::remove(const Key& key) const {
    ::unlink(path_of(key).c_str());
    ::rmdir(rule_folder(key).c_str());
    ::rmdir((folder_ + "/" + key.first).c_str());  // unless another rule has one
}

}  // namespace portcullis::state
