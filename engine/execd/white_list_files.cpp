#include "engine/execd/white_list_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/ascii.hpp"
#include "base/fd.hpp"
#include "base/utf8.hpp"
#include "engine/execd/trimmed.hpp"

namespace portcullis::execd {
namespace {

constexpr std::size_t kMaxListSize = 1 << 20;
constexpr std::size_t kMaxHostName = 253;
constexpr int kMaxProblems = 20;  // of one file; more are counted

// "10.1" or "192.0.2.1-9" is a mistake and no host name: a name has a letter.
bool is_host_name(std::string_view text) {
    return text.size() <= kMaxHostName && std::any_of(text.begin(), text.end(), base::is_letter) &&
           text.front() != '-' && text.front() != '.' && text.find("..") == text.npos &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return base::is_alphanumeric(c) || c == '.' || c == '-' || c == '_';
           });
}

base::Diagnostic problem(const std::string& file, int line, std::string code, std::string what) {
    return base::make_error(std::move(code), std::move(what), {file, line});
}

// nullopt = it is missing, not a regular file, or may not be read; errno says which.
std::optional<std::string> text_of(const std::string& path) {
    const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        return std::nullopt;
    }
    if (!S_ISREG(status.st_mode) || static_cast<std::size_t>(status.st_size) > kMaxListSize) {
        errno = S_ISREG(status.st_mode) ? EFBIG : EINVAL;
        return std::nullopt;
    }
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    const ssize_t size = ::pread(fd.get(), text.data(), text.size(), 0);
    if (size < 0) {
        return std::nullopt;
    }
    text.resize(static_cast<std::size_t>(size));
    return text;
}

}  // namespace

WhiteListText read_white_list(std::string_view text, const std::string& file) {
    WhiteListText result;
    int problems = 0;
    text = base::without_byte_order_mark(text);
    for (int line = 1; !text.empty(); ++line) {
        const auto whole = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(whole.size() + 1, text.size()));
        const auto entry = trimmed(whole.substr(0, whole.find('#')));
        if (entry.empty()) {
            continue;
        }
        if (const auto network = base::Cidr::parse(entry)) {
            result.networks.emplace_back(*network, line);
        } else if (is_host_name(entry)) {
            result.host_names.emplace_back(entry);
        } else if (++problems <= kMaxProblems) {
            result.problems.add(
                problem(file, line, "bad-address",
                        fmt::format("\"{}\" is not an address, a network or a host name", entry)));
        }
    }
    if (problems > kMaxProblems) {
        result.problems.add(
            problem(file, 0, "bad-address",
                    fmt::format("{} more lines have the same fault", problems - kMaxProblems)));
    }
    return result;
}

void WhiteListFiles::set_paths(const std::vector<std::string>& paths) {
    std::vector<File> files;
    for (const auto& path : paths) {
        const auto known = std::find_if(files_.begin(), files_.end(),
                                        [&](const File& file) { return file.path == path; });
        files.push_back(known == files_.end() ? File{} : *known);
        files.back().path = path;
    }
    files_ = std::move(files);
}

void WhiteListFiles::keep_within_limits(const std::string& path, WhiteListText& text) const {
    std::size_t networks = 0;
    std::size_t hosts = 0;
    for (const auto& file : files_) {
        if (file.path != path) {
            networks += file.networks.size();
            hosts += file.host_names.size();
        }
    }
    const auto cut = [&](auto& entries, std::size_t used, std::size_t most, const char* what) {
        const std::size_t room = most - std::min(used, most);
        if (entries.size() > room) {
            text.problems.add(problem(path, 0, "too-many-entries",
                                      fmt::format("the white list files have more than {} {}: {} "
                                                  "of this file are left out",
                                                  most, what, entries.size() - room)));
            entries.resize(room);
        }
    };
    cut(text.networks, networks, kMaxListedNetworks, "addresses and networks");
    cut(text.host_names, hosts, kMaxListedHosts, "host names");
}

void WhiteListFiles::read(File& file) {
    const auto content = text_of(file.path);
    if (!content) {
        if (!file.is_reported) {
            file.is_reported = true;
            log_.error(fmt::format("{}: the white list file cannot be read ({}): {}", file.path,
                                   base::error_text(errno),
                                   file.networks.empty() && file.host_names.empty()
                                       ? "nobody is protected by it"
                                       : "what it said before still counts"));
        }
        return;
    }
    file.is_reported = false;
    auto text = read_white_list(*content, file.path);
    keep_within_limits(file.path, text);
    if (!text.problems.all().empty()) {
        log_.error(base::render(text.problems));
    }
    file.networks = std::move(text.networks);
    file.host_names = std::move(text.host_names);
}

bool WhiteListFiles::refresh() {
    bool has_changed = false;
    for (auto& file : files_) {
        const auto signature = signature_of(file.path);
        // A file that is missing from the start is reported too.
        if (signature != file.signature || (signature.size < 0 && !file.is_reported)) {
            file.signature = signature;
            read(file);
            has_changed = true;
        }
    }
    return has_changed;
}

std::string WhiteListFiles::reason(const base::Cidr& network, const std::string& path, int line) {
    return fmt::format("white_list {} ({}:{})", network.to_string(), path, line);
}

std::string WhiteListFiles::meaning_of(const base::Cidr& target) const {
    for (const auto& file : files_) {
        const auto it = std::find_if(file.networks.begin(), file.networks.end(),
                                     [&](const auto& each) { return each.first.overlaps(target); });
        if (it != file.networks.end()) {
            return reason(it->first, file.path, it->second);
        }
    }
    return {};
}

std::vector<std::string> WhiteListFiles::host_names() const {
    std::vector<std::string> names;
    for (const auto& file : files_) {
        names.insert(names.end(), file.host_names.begin(), file.host_names.end());
    }
    return names;
}

}  // namespace portcullis::execd
