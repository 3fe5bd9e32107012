#include "sensor/status_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

namespace portcullis {
namespace {

// Larger than all counters with twenty digits each.
constexpr std::size_t kSize = 4096;

}  // namespace

base::Result<StatusFile> StatusFile::open(const std::string& path) {
    if (path.empty()) {
        return StatusFile(base::UniqueFd());
    }
    // O_NONBLOCK: if the path is a FIFO, the open must not wait for a reader.
    base::UniqueFd fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
    if (!fd || ::ftruncate(fd.get(), 0) != 0) {
        return base::fail("unwritable-file", fmt::format("Can't open status file {}: {}", path,
                                                         base::error_text(errno)));
    }
    return StatusFile(std::move(fd));
}

void StatusFile::write(const sensor_pipeline::SensorCounters& counters) {
    if (!fd_) {
        return;
    }
    std::string text = "{";
    for (const auto& [name, value] : counters) {
        text += fmt::format("{}\"{}\": {}", text.size() > 1 ? ", " : "", name, value);
    }
    text += "}";
    text.resize(kSize - 1, ' ');
    text += '\n';
    if (text != written_ &&
        ::pwrite(fd_.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size())) {
        written_ = std::move(text);
    }
}

}  // namespace portcullis
