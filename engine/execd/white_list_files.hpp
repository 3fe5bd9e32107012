// WhiteListFiles: the files of <white_list_file>. A file is read again when it has changed.
//
// Each line has an address, a network or a host name; "#" begins a comment. Other lines are
// reported with their place and ignored. If a file can no longer be read, its last entries stay, so
// that a mistake with an editor removes no protection. Single-threaded.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/ip_address.hpp"
#include "base/log.hpp"
#include "engine/execd/file_signature.hpp"

namespace portcullis::execd {

// Limits of all files together. Further entries are reported and ignored.
inline constexpr std::size_t kMaxListedNetworks = 10'000;
inline constexpr std::size_t kMaxListedHosts = 256;

struct WhiteListText {
    std::vector<std::pair<base::Cidr, int>> networks;  // with their lines
    std::vector<std::string> host_names;
    base::Diagnostics problems;
};
// `file` is the name of the file in the problems.
WhiteListText read_white_list(std::string_view text, const std::string& file);

class WhiteListFiles {
  public:
    // `log` gets the problems of the files, and must outlive this.
    explicit WhiteListFiles(base::Log& log) : log_(log) {}

    // Replaces the paths. The next refresh() reads the files.
    void set_paths(const std::vector<std::string>& paths);
    // Reads the files that have changed. Returns whether one was read. Costs one stat(2) for each
    // file.
    bool refresh();

    // Returns "white_list 192.0.2.0/24 (/etc/friends:7)"; empty = no line has an address in
    // `target`.
    std::string meaning_of(const base::Cidr& target) const;
    std::vector<std::string> host_names() const;
    // Calls on_entry(network, reason) for each network.
    template <class OnEntry>
    void for_each(OnEntry on_entry) const {
        for (const auto& file : files_) {
            for (const auto& [network, line] : file.networks) {
                on_entry(network, reason(network, file.path, line));
            }
        }
    }

  private:
    struct File {
        std::string path;
        FileSignature signature;
        bool is_reported = false;  // that it cannot be read
        std::vector<std::pair<base::Cidr, int>> networks;
        std::vector<std::string> host_names;
    };
    static std::string reason(const base::Cidr& network, const std::string& path, int line);
    void read(File& file);
    void keep_within_limits(const std::string& path, WhiteListText& text) const;

    base::Log& log_;
    std::vector<File> files_;
};

}  // namespace portcullis::execd
