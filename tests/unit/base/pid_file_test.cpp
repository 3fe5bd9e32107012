#include "base/pid_file.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/fd.hpp"

using namespace portcullis;
using base::PidFile;
using base::running_pid;

namespace {

// A file in a folder of its own that vanishes with the test.
struct TemporaryPath {
    TemporaryPath() {
        std::string pattern = std::filesystem::temp_directory_path() / "pid_file_XXXXXX";
        folder = mkdtemp(pattern.data());
    }
    ~TemporaryPath() { std::filesystem::remove_all(folder); }
    std::string folder;
    std::string path() const { return folder + "/engine.pid"; }
};

// A child that locks `path`, says so, and lives until it is killed.
class Holder {
  public:
    explicit Holder(const std::string& path) {
        std::array<int, 2> ends{};
        REQUIRE(pipe(ends.data()) == 0);
        pid_ = fork();
        if (pid_ == 0) {
            const auto lock = PidFile::lock(path);
            const char verdict = lock ? 'y' : 'n';
            if (write(ends[1], &verdict, 1) == 1) {
                pause();
            }
            _exit(0);
        }
        char verdict = 0;
        REQUIRE(read(ends[0], &verdict, 1) == 1);
        close(ends[0]);
        close(ends[1]);
        CHECK(verdict == 'y');
    }
    ~Holder() { kill_it(); }
    void kill_it() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
            pid_ = -1;
        }
    }
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("pid_file: a second instance is refused, and the error names the running process") {
    const TemporaryPath file;
    const Holder holder(file.path());
    const auto second = PidFile::lock(file.path());
    REQUIRE_FALSE(second);
    CHECK(second.error().code == "already-running");
    CHECK(second.error().message.find(std::to_string(holder.pid())) != std::string::npos);
}

TEST_CASE("pid_file: the running process is the holder of the lock, whatever the text says") {
    const TemporaryPath file;
    CHECK(running_pid(file.path()) == std::nullopt);
    Holder holder(file.path());
    CHECK(running_pid(file.path()) == holder.pid());
    std::ofstream(file.path()) << "1\n";  // by a daemon that was taken over
    CHECK(running_pid(file.path()) == holder.pid());
    holder.kill_it();
    CHECK(base::read_file(file.path()).value() == "1\n");  // stale
    CHECK(running_pid(file.path()) == std::nullopt);
    CHECK(PidFile::lock(file.path()).has_value());
}

TEST_CASE("pid_file: holds the process id while locked and nothing afterwards") {
    const TemporaryPath file;
    {
        const auto lock = PidFile::lock(file.path());
        REQUIRE(lock);
        CHECK(std::filesystem::file_size(file.path()) == std::to_string(getpid()).size() + 1);
    }
    CHECK(base::read_file(file.path()).value().empty());
}

TEST_CASE("pid_file: a folder that does not exist is an error") {
    const auto lock = PidFile::lock("/nonexistent/engine.pid");
    REQUIRE_FALSE(lock);
    CHECK(lock.error().code == "unwritable-file");
}

TEST_CASE("pid_file: a lock that was taken before a fork stays with the child") {
    const TemporaryPath file;
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const pid_t parent = fork();
    if (parent == 0) {
        auto lock = PidFile::lock_before_fork(file.path());
        if (lock && fork() == 0) {
            const pid_t self = lock->write_pid() ? getpid() : 0;
            if (write(ends[1], &self, sizeof self) == sizeof self) {
                pause();
            }
        }
        _exit(lock ? 0 : 1);
    }
    pid_t child = 0;
    REQUIRE(read(ends[0], &child, sizeof child) == sizeof child);
    int status = 0;
    REQUIRE(waitpid(parent, &status, 0) == parent);
    CHECK(status == 0);
    CHECK(running_pid(file.path()) == child);
    CHECK_FALSE(PidFile::lock(file.path()));
    kill(child, SIGKILL);
    close(ends[0]);
    close(ends[1]);
}

TEST_CASE("pid_file: a file that was removed before it could be locked is made again") {
    const TemporaryPath file;
    for (int i = 0; i < 50; ++i) {
        // Two starters while the last instance ends: exactly one of them runs.
        auto ending = PidFile::lock(file.path());
        REQUIRE(ending);
        std::array<pid_t, 2> starters{};
        std::array<int, 2> go{};
        REQUIRE(pipe(go.data()) == 0);
        for (pid_t& starter : starters) {
            starter = fork();
            if (starter == 0) {
                char word = 0;
                close(go[1]);
                if (read(go[0], &word, 1) < 0) {
                    _exit(2);
                }
                const auto lock = PidFile::lock(file.path());
                const bool leads_to_it = lock && std::filesystem::exists(file.path());
                usleep(2000);
                _exit(lock ? (leads_to_it ? 0 : 3) : 1);
            }
        }
        close(go[0]);
        close(go[1]);
        ending->remove();
        for (const pid_t starter : starters) {
            int status = 0;
            REQUIRE(waitpid(starter, &status, 0) == starter);
            CHECK(WEXITSTATUS(status) <= 1);
        }
    }
}

TEST_CASE("pid_file: the file is gone after remove()") {
    const TemporaryPath file;
    auto lock = PidFile::lock(file.path());
    REQUIRE(lock);
    lock->remove();
    CHECK_FALSE(std::filesystem::exists(file.path()));
    CHECK(PidFile::lock(file.path()).has_value());
}
