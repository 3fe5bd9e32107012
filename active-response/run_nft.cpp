#include "active-response/run_nft.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>

#include "active-response/nf_netlink.hpp"
#include "base/fd.hpp"

namespace portcullis::active_response {
namespace {

constexpr std::size_t kMaxSaid = 1000;

}  // namespace

void end_with(pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {  // it has ended before
        ::_exit(1);
    }
}

base::Result<void> run_nft(std::string_view script) {
    // A file and not a pipe: nft may end before it has read all, and no process has to write.
    const base::UniqueFd file(::memfd_create("nft-script", MFD_CLOEXEC));
    std::array<int, 2> out{};
    if (!file || !base::write_all(file.get(), script) || ::lseek(file.get(), 0, SEEK_SET) != 0 ||
        ::pipe2(out.data(), O_CLOEXEC) != 0) {
        return failure("nft-failed", base::error_text(errno));
    }
    const base::UniqueFd said(out[0]);
    base::UniqueFd said_end(out[1]);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        end_with(parent);  // no script is carried out after its caller has ended
        ::dup2(file.get(), STDIN_FILENO);
        ::dup2(said_end.get(), STDOUT_FILENO);
        ::dup2(said_end.get(), STDERR_FILENO);
        ::execlp("nft", "nft", "-f", "-", nullptr);
        ::_exit(127);
    }
    if (child < 0) {
        return failure("nft-failed", base::error_text(errno));
    }
    said_end.reset();
    std::string text;
    std::array<char, 512> buffer;
    for (ssize_t got = 0; (got = ::read(said.get(), buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(got));
        text.resize(std::min(text.size(), kMaxSaid));
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        return failure("no-nft", "cannot run nft(8): install the package nftables");
    }
    if (status != 0) {
        return failure("nft-failed", text.substr(0, text.find('\n')));
    }
    return {};
}

}  // namespace portcullis::active_response
