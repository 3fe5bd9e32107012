#include "engine/state/key_file.hpp"

#include <sys/stat.h>

#include "tests/support/file_size_limit.hpp"
#include "tests/support/temporary_folder.hpp"

namespace portcullis::state {
namespace {

using test::append_to;
using test::content_of;
using test::overwrite;

constexpr rules::BoundedKeys::Limits kLimits{.keys = 2'000, .bytes = 1'000'000};

KeyFile loaded(const std::string& path, rules::BoundedKeys::Limits limits = kLimits) {
    KeyFile file(path, limits);
    REQUIRE(file.load());
    return file;
}

void flush_all(KeyFile& file) {
    while (file.has_pending()) {
        REQUIRE(file.flush());
    }
}

TEST_CASE("key_file: keys are lines of the file, and known in the next run") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "fts/fts-queue";
    KeyFile file = loaded(path);
    CHECK_FALSE(file.has_pending());
    file.insert("sshd  bob  192.0.2.1    ");
    file.insert("sshd  eve  192.0.2.1    ");
    file.insert("sshd  bob  192.0.2.1    ");
    CHECK(file.has_pending());
    flush_all(file);
    CHECK(content_of(path) == "sshd  bob  192.0.2.1    \nsshd  eve  192.0.2.1    \n");

    KeyFile next = loaded(path);
    CHECK(next.contains("sshd  eve  192.0.2.1    "));
    CHECK_FALSE(next.contains("sshd  eve"));
    CHECK_FALSE(next.has_pending());
    next.insert("new");
    flush_all(next);
    CHECK(loaded(path).keys().size() == 3);
}

TEST_CASE("key_file: a line that a kill tore is not a key, and does not spoil the next one") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "keys";
    overwrite(path, "whole\nhal");
    KeyFile file = loaded(path);
    CHECK(file.contains("whole"));
    CHECK_FALSE(file.contains("hal"));
    file.insert("next");
    flush_all(file);
    CHECK(content_of(path) == "whole\nnext\n");
    overwrite(path, std::string(10'000, 'x'));  // no newline at all
    KeyFile other = loaded(path);
    CHECK(other.keys().size() == 0);
    other.insert("next");
    flush_all(other);
    CHECK(content_of(path) == "next\n");
}

TEST_CASE("key_file: lines that are not keys are skipped") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "keys";
    const std::string longest(KeyFile::kMaxKeyBytes, 'l');
    overwrite(path, "\n" + longest + "\n" + longest + "x\n" + std::string(200'000, 'z') +
                        "\nzero\n" + std::string("nu\0l\n", 5) + "a\xff b\n");
    KeyFile file = loaded(path);
    CHECK(file.keys().size() == 3);
    CHECK(file.contains(longest));
    CHECK(file.contains(longest + "x"));  // keys are cut, too
    CHECK(file.contains("zero"));
    CHECK(file.contains("a\xff b"));
    file.insert("two\nlines");
    CHECK(file.contains("two\nlines"));
    CHECK(file.contains("two lines"));
}

TEST_CASE("key_file: while the disk is full keys are kept in memory, and are written afterwards") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "keys";
    KeyFile file = loaded(path);
    file.insert("first");
    flush_all(file);
    {
        const test::FileSizeLimit full(10);  // the first bytes of a line still fit
        file.insert("second");
        CHECK_FALSE(file.flush());
        CHECK_FALSE(file.flush());
        CHECK(file.has_pending());
        CHECK(file.contains("second"));
        CHECK(loaded(path).keys().size() == 1);
    }
    file.insert("third");
    flush_all(file);
    CHECK(content_of(path) == "first\nsecond\nthird\n");
}

TEST_CASE("key_file: a file that somebody removes is written again") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "keys";
    KeyFile file = loaded(path);
    file.insert("first");
    flush_all(file);
    std::filesystem::remove(path);
    file.insert("second");
    flush_all(file);
    CHECK(content_of(path) == "first\nsecond\n");
}

TEST_CASE(
    "key_file: the file is bounded as the table is, and a kill while it is written anew loses "
    "nothing") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "keys";
    KeyFile file = loaded(path);
    const std::string filler(200, 'f');
    std::uintmax_t largest = 0;
    bool was_rewriting = false;
    for (int i = 0; i < 20'000; ++i) {
        const std::string key = std::to_string(i) + filler;
        file.insert(key);
        if (i % 50 == 0) {
            REQUIRE(file.flush());
            largest = std::max(largest, std::filesystem::file_size(path));
            if (std::filesystem::exists(path + ".new")) {
                was_rewriting = true;
                CHECK(loaded(path).contains(key));
            }
        }
    }
    flush_all(file);
    CHECK(was_rewriting);
    CHECK(largest < 3 * kLimits.keys * (filler.size() + 6));
    CHECK(file.keys().size() == kLimits.keys);
    CHECK(file.keys().evicted() == 18'000);
    KeyFile next = loaded(path);
    CHECK(next.keys().size() == kLimits.keys);
    CHECK(next.contains("19999" + filler));
    CHECK(next.contains("18000" + filler));
    CHECK_FALSE(next.contains("17999" + filler));
    CHECK_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_CASE("key_file: a new file that cannot be written leaves the old one in use") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "keys";
    std::filesystem::create_directory(path + ".new");  // cannot be replaced
    append_to(path + ".new/in-the-way", "");
    KeyFile file = loaded(path, {.keys = 10, .bytes = 1'000});
    int failures = 0;
    for (int i = 0; i < 3'000; ++i) {
        file.insert(std::to_string(i));
        failures += file.flush() ? 0 : 1;
    }
    CHECK(failures > 0);
    CHECK(failures < 5);  // not tried again with every key
    CHECK(loaded(path).contains("2999"));
}

TEST_CASE("key_file: a file that cannot be read is said to be so") {
    const test::TemporaryFolder folder;
    std::filesystem::create_symlink("/etc/passwd", folder / "keys");
    KeyFile file(folder / "keys", kLimits);
    const auto loaded = file.load();
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == "unreadable-file");
    CHECK(file.keys().size() == 0);
    file.insert("key");
    CHECK_FALSE(file.flush());  // nor is it written through the link
}

TEST_CASE("key_file: a pipe in its place is not written to") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "keys";
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    KeyFile file(path, kLimits);
    file.insert("key");
    CHECK_FALSE(file.flush());
    CHECK(file.keys().size() == 1);
}

}  // namespace
}  // namespace portcullis::state
