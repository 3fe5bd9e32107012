// WhiteListFiles: the files of <white_list_file>, read again when one changes.
//
// Each line has an address, a network or a host name; "#" begins a comment. A line that is none of
// these is reported with its place and left out, the others count. A file that cannot be read any
// more keeps what it said: a slip of an editor must not unprotect anybody. Single-threaded.
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

// Of all files together; what is beyond is reported and left out.
inline constexpr std::size_t kMaxListedNetworks = 10'000;
inline constexpr std::size_t kMaxListedHosts = 256;

struct WhiteListText {
    std::vector<std::pair<base::Cidr, int>> networks;  // with their lines
    std::vector<std::string> host_names;
    base::Diagnostics problems;
};
// `file` names the file in what is reported.
WhiteListText read_white_list(std::string_view text, const std::string& file);

class WhiteListFiles {
  public:
    // `log` gets what is wrong with the files; it must outlive this.
    explicit WhiteListFiles(base::Log& log) : log_(log) {}

    // In place of those before. The files are read by the next refresh().
    void set_paths(const std::vector<std::string>& paths);
    // Looks for changes; true = something was read. Costs one stat(2) for each file.
    bool refresh();

    // "white_list 192.0.2.0/24 (/etc/friends:7)"; empty = no line has an address in `target`.
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
