#include "engine/base/fd.hpp"

#include <sys/stat.h>

#include <filesystem>

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

TEST_CASE("fd: what cannot be read or written is an error with the path") {
    const auto missing = read_file("/nonexistent/file");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == "unreadable-file");
    CHECK(missing.error().place.file == "/nonexistent/file");
    const auto unwritable = write_file_atomically("/nonexistent/file", "x", 0600);
    REQUIRE_FALSE(unwritable);
    CHECK(unwritable.error().code == "unwritable-file");
}
