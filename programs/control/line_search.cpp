#include "programs/control/line_search.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.hpp"

namespace portcullis::programs {
namespace {

constexpr std::size_t kBlock = 256UL << 10;
constexpr std::size_t kMaxLine = 1UL << 20;

}  // namespace

SearchEnd search_backwards(const std::string& path, std::size_t& bytes_left,
                           const std::function<bool(std::string_view)>& on_line) {
    const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return SearchEnd::Missing;
    }
    auto at = static_cast<std::size_t>(status.st_size);
    std::string tail;          // the end of a line, which was read before its beginning
    bool is_too_long = false;  // that line
    bool is_last = true;       // nothing follows the last line feed
    std::string block;
    while (at > 0) {
        const std::size_t size = std::min({kBlock, at, bytes_left});
        if (size == 0) {
            return SearchEnd::Limit;
        }
        block.resize(size);
        if (::pread(fd.get(), block.data(), size, static_cast<off_t>(at - size)) !=
            static_cast<ssize_t>(size)) {
            return SearchEnd::Missing;
        }
        at -= size;
        bytes_left -= size;
        std::string_view rest(block);
        for (auto feed = rest.rfind('\n'); feed != std::string_view::npos;
             feed = rest.rfind('\n')) {
            const std::string line = std::string(rest.substr(feed + 1)) + tail;
            rest = rest.substr(0, feed);
            tail.clear();
            const bool is_skipped = is_too_long || (is_last && line.empty());
            is_too_long = false;
            is_last = false;
            if (!is_skipped && !on_line(line)) {
                return SearchEnd::Stopped;
            }
        }
        is_too_long = is_too_long || rest.size() + tail.size() > kMaxLine;
        if (is_too_long) {
            tail.clear();
        } else {
            tail.insert(0, rest);
        }
        is_last = is_last && tail.empty() && !is_too_long;
    }
    const bool is_nothing = is_last && tail.empty();  // the file is empty
    return is_too_long || is_nothing || on_line(tail) ? SearchEnd::Beginning : SearchEnd::Stopped;
}

}  // namespace portcullis::programs
