#include "base/fd.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/temporary_folder.hpp"

using namespace portcullis::base;

TEST_CASE("fd: a file is replaced whole and keeps the mode that was asked for") {
    const auto folder = std::filesystem::temp_directory_path() / "portcullis-fd-test";
    std::filesystem::create_directories(folder);
    const std::string path = folder / "state";
    REQUIRE(write_file_atomically(path, "one", 0600));
    REQUIRE(write_file_atomically(path, "two", 0600));
    CHECK(read_file(path).value() == "two");
    CHECK_FALSE(std::filesystem::exists(path + ".new"));
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    std::filesystem::remove_all(folder);
}

// A folder that an ordinary user can write to, in which that user waits for root.
TEST_CASE("fd: root writes through no link that another user could have made") {
    if (::geteuid() != 0) {
        WARN("skipped: only root can be led astray");
        return;
    }
    const auto folder = std::filesystem::temp_directory_path() /
                        ("portcullis-fd-test." + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const std::string target = folder / "precious";
    const std::string link = folder / "log";
    const auto write = [](const std::string& path) {
        return write_file_atomically(path, "x", 0600);
    };
    REQUIRE(write(target));
    std::filesystem::create_symlink(target, link);
    std::filesystem::create_symlink(target, folder / "state.new");

    REQUIRE(write(folder / "state"));
    CHECK_FALSE(std::filesystem::is_symlink(folder / "state"));
    REQUIRE(chown(folder.c_str(), 65534, 65534) == 0);
    CHECK_FALSE(open_for_append(link, 0600));
    CHECK(errno == ELOOP);
    REQUIRE(chown(folder.c_str(), 0, 0) == 0);
    REQUIRE(chmod(folder.c_str(), 01777) == 0);
    CHECK_FALSE(open_for_append(link, 0600));
    REQUIRE(chmod(folder.c_str(), 0755) == 0);
    CHECK(open_for_append(link, 0600));  // the administrator's own
    CHECK(read_file(target).value() == "x");
    std::filesystem::remove_all(folder);
}

TEST_CASE("fd: a FIFO without a reader is an error, and opening it does not wait") {
    const std::string fifo = std::filesystem::temp_directory_path() /
                             ("portcullis-fd-fifo." + std::to_string(::getpid()));
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK_FALSE(open_for_append(fifo, 0600));
    CHECK(errno == ENXIO);
    std::filesystem::remove(fifo);
}

TEST_CASE("fd: a pipe in the place of a file is an error at once, and an endless file ends") {
    const auto folder = std::filesystem::temp_directory_path() /
                        ("portcullis-fd-pipe." + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const std::string pipe = folder / "rules.xml";
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    const auto nothing = read_file(pipe);  // nobody ever writes to it
    REQUIRE_FALSE(nothing);
    CHECK(nothing.error().message == "cannot read the file: it is a pipe");
    CHECK_FALSE(read_file(folder));
    CHECK_FALSE(read_text_file(folder));
    CHECK(read_file("/dev/zero", 100'000).value().size() == 100'000);
    CHECK(read_file("/dev/null").value().empty());
    std::filesystem::remove_all(folder);
}

TEST_CASE("fd: a file that cannot be read or written is an error with the path") {
    const auto missing = read_file("/nonexistent/file");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == "unreadable-file");
    CHECK(missing.error().place.file == "/nonexistent/file");
    const auto unwritable = write_file_atomically("/nonexistent/file", "x", 0600);
    REQUIRE_FALSE(unwritable);
    CHECK(unwritable.error().code == "unwritable-file");
}

TEST_CASE("fd: a text is read without the byte order mark at its beginning") {
    const portcullis::test::TemporaryFolder folder;
    const std::string mark = "\xef\xbb\xbf";
    for (const std::string text : {"", "x", "\xef\xbb"}) {
        portcullis::test::overwrite(folder / "text", mark + text);
        CHECK(read_text_file(folder / "text").value() == text);
        CHECK(read_file(folder / "text").value() == mark + text);
        portcullis::test::overwrite(folder / "text", text);
        CHECK(read_text_file(folder / "text").value() == text);
    }
    portcullis::test::overwrite(folder / "text", mark + mark);
    CHECK(read_text_file(folder / "text").value() == mark);
}
