#include "engine/collect/checkpoint.hpp"

#include <filesystem>

#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::collect;
using test::TemporaryFolder;

namespace {

Checkpoint sample() {
    FilePosition position{{2049, 131'074}, 1000, 1010, digest_of("head"), digest_of("tail")};
    FilePosition largest{{UINT32_MAX, UINT64_MAX}, UINT64_MAX, UINT64_MAX, {}, digest_of("")};
    return {{{"/var/log/iplog", position, {largest, position}}, {"/var/log/auth.log", {}, {}}}};
}

}  // namespace

TEST_CASE("checkpoint: a saved checkpoint is loaded, in either durability") {
    const TemporaryFolder folder;
    for (const base::Durability durability :
         {base::Durability::Process, base::Durability::Machine}) {
        REQUIRE(save_checkpoint(sample(), folder / "checkpoint.json", durability));
        const auto loaded = load_checkpoint(folder / "checkpoint.json");
        REQUIRE(loaded);
        CHECK(loaded->files == sample().files);
        CHECK_FALSE(std::filesystem::exists(folder / "checkpoint.json.new"));
    }
}

TEST_CASE("checkpoint: a path is found by its name alone") {
    const Checkpoint checkpoint = sample();
    REQUIRE(checkpoint.find("/var/log/iplog") != nullptr);
    CHECK(checkpoint.find("/var/log/iplog")->current->offset == 1000);
    CHECK(checkpoint.find("/var/log/iplo") == nullptr);
}

TEST_CASE("checkpoint: a missing file is an empty one, a damaged one is an error") {
    const TemporaryFolder folder;
    CHECK(load_checkpoint(folder / "none").value().files.empty());

    const std::string whole = checkpoint_to_json(sample());
    const std::string bad[] = {
        "",
        "{",
        "[]",
        "null",
        whole.substr(0, whole.size() / 2),
        R"({"version":2,"files":[]})",
        R"({"version":1})",
        R"({"version":1,"files":[{"path":1}]})",
        R"({"version":1,"files":[{"path":"a","current":{"inode":"x"}}]})",
    };
    for (const std::string& text : bad) {
        INFO(text);
        test::overwrite(folder / "bad", text);
        const auto loaded = load_checkpoint(folder / "bad");
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().code == "bad-checkpoint");
        CHECK(loaded.error().place.file == folder / "bad");
    }
}

TEST_CASE("checkpoint: a path that is not UTF-8 does not prevent saving") {
    const TemporaryFolder folder;
    Checkpoint checkpoint = sample();
    checkpoint.files[0].path = "/var/log/\xff";
    REQUIRE(save_checkpoint(checkpoint, folder / "c", base::Durability::Process));
    CHECK(load_checkpoint(folder / "c")->files.size() == 2);
}
