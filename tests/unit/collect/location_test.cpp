#include "engine/collect/location.hpp"

#include <ctime>
#include <filesystem>

#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::collect;
using test::TemporaryFolder;
using Paths = std::vector<std::string>;

TEST_CASE("location: a plain path is itself, whether it exists or not") {
    CHECK(expand_pattern("/nonexistent/log") == Paths{"/nonexistent/log"});
}

TEST_CASE("location: a glob is the files that exist, sorted, without folders and crafted names") {
    const TemporaryFolder folder;
    test::append_to(folder / "b.log", "");
    test::append_to(folder / "a.log", "");
    test::append_to(folder / "a.txt", "");
    test::append_to(folder / "x\n** Alert 1.1: - forged.log", "");
    test::append_to(folder / "y\x1b[2J.log", "");
    std::filesystem::create_directory(folder / "c.log");
    CHECK(expand_pattern(folder / "*.log") == Paths{folder / "a.log", folder / "b.log"});
    CHECK(expand_pattern(folder / "nothing*").empty());
}

TEST_CASE("location: strftime sequences are replaced by the local date") {
    std::tm local{};
    local.tm_year = 126;
    local.tm_mon = 10;
    local.tm_mday = 4;
    local.tm_hour = 12;
    local.tm_isdst = -1;
    const auto now = std::chrono::system_clock::from_time_t(std::mktime(&local));
    CHECK(with_date("/var/log/app-%Y%m%d.log", now) == "/var/log/app-20261104.log");
    CHECK(with_date("/var/log/%-d.%^b.log", now) == "/var/log/4.NOV.log");
    CHECK(with_date("/var/log/app.100%", now) == "/var/log/app.100%");
}

TEST_CASE("location: a path of another date is recognised") {
    CHECK(could_be_dated("/in/%Y-%m-%d-%H/app.log", "/in/2026-11-04-12/app.log"));
    CHECK(could_be_dated("/in/%Ey/%-d*.log", "/in/26/4-x.log"));
    CHECK(could_be_dated("/in/100%%/%F.log", "/in/100%/2026-11-04.log"));
    CHECK_FALSE(could_be_dated("/in/100%%/%F.log", "/in/1000/2026-11-04.log"));
    CHECK_FALSE(could_be_dated("/in/%F/app.log", "/in/2026-11-04/other.log"));
    // Another log beside them.
    CHECK(could_be_dated("/var/log/%Y%m%d.log", "/var/log/20261104.log"));
    CHECK_FALSE(could_be_dated("/var/log/%Y%m%d.log", "/var/log/auth.log"));
    CHECK_FALSE(could_be_dated("/var/log/app-%Y.log", "/var/log/app-2026-11.log"));
    CHECK_FALSE(could_be_dated("/var/log/%b.log", "/var/log/in/Nov.log"));
    CHECK(could_be_dated("/var/log/%D.log", "/var/log/11/04/26.log"));
    CHECK(could_be_dated("/var/log/%s-%", "/var/log/1790000000-%"));
    CHECK_FALSE(could_be_dated("/in/app.log", "/in/app.log"));
}

TEST_CASE("location: the folders to watch are those in which a change matters") {
    const TemporaryFolder folder;
    std::filesystem::create_directories(folder / "x1/sub");
    std::filesystem::create_directories(folder / "real");
    test::append_to(folder / "real/file", "");
    std::filesystem::create_symlink(folder / "real/file", folder / "x1/link");

    struct Row {
        const char* what;
        std::string location;
        Paths folders;
    };
    const Row rows[] = {
        {"the folder of a path", folder / "x1/log", {folder / "x1"}},
        {"the nearest that exists", folder / "x1/no/such/log", {folder / "x1"}},
        {"of a glob", folder / "x1/*.log", {folder / "x1"}},
        {"of a symbolic link its target's too",
         folder / "x1/link",
         {folder / "real", folder / "x1"}},
        {"of each part of a glob", folder / "x*/sub/*.log", {folder.path(), folder / "x1/sub"}},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        Paths folders = folders_of_pattern(row.location);
        CHECK(folders == row.folders);
    }
}
