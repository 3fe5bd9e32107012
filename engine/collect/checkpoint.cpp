#include "engine/collect/checkpoint.hpp"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/fd.hpp"

namespace portcullis::collect {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

Json to_json(const Digest& digest) { return Json::array({digest.length, digest.hash}); }

Json to_json(const FilePosition& position) {
    return {{"device", position.file.device}, {"inode", position.file.inode},
            {"offset", position.offset},      {"read_to", position.read_to},
            {"head", to_json(position.head)}, {"tail", to_json(position.tail)}};
}

// The number `key` of `object`; throws Json::exception if it is missing, which is caught in one
// place.
std::uint64_t number(const Json& object, const char* key) {
    return object.at(key).get<std::uint64_t>();
}

Digest digest_from(const Json& json) {
    return {json.at(0).get<std::size_t>(), json.at(1).get<std::uint64_t>()};
}

FilePosition position_from(const Json& json) {
    FilePosition position;
    position.file = {static_cast<dev_t>(number(json, "device")),
                     static_cast<ino_t>(number(json, "inode"))};
    position.offset = number(json, "offset");
    position.read_to = number(json, "read_to");
    position.head = digest_from(json.at("head"));
    position.tail = digest_from(json.at("tail"));
    return position;
}

}  // namespace

const TailedPath* Checkpoint::find(std::string_view path) const {
    const auto found = std::find_if(files.begin(), files.end(),
                                    [&](const TailedPath& file) { return file.path == path; });
    return found == files.end() ? nullptr : &*found;
}

std::string checkpoint_to_json(const Checkpoint& checkpoint) {
    Json files = Json::array();
    for (const TailedPath& file : checkpoint.files) {
        Json entry{{"path", file.path}};
        if (file.current) {
            entry["current"] = to_json(*file.current);
        }
        for (const FilePosition& position : file.previous) {
            entry["previous"].push_back(to_json(position));
        }
        files.push_back(std::move(entry));
    }
    // A path that is not UTF-8 is saved as another text, so its file starts anew.
    return Json{{"version", kVersion}, {"files", std::move(files)}}.dump(
               1, ' ', false, Json::error_handler_t::replace) +
           "\n";
}

base::Result<Checkpoint> checkpoint_from_json(std::string_view json) {
    try {
        const Json root = Json::parse(json);
        if (root.at("version") != kVersion) {
            return base::fail("bad-checkpoint", "written by another version");
        }
        Checkpoint checkpoint;
        for (const Json& entry : root.at("files")) {
            TailedPath file;
            file.path = entry.at("path").get<std::string>();
            if (entry.contains("current")) {
                file.current = position_from(entry.at("current"));
            }
            for (const Json& position : entry.value("previous", Json::array())) {
                file.previous.push_back(position_from(position));
            }
            checkpoint.files.push_back(std::move(file));
        }
        return checkpoint;
    } catch (const Json::exception&) {
        return base::fail("bad-checkpoint", "damaged");
    }
}

base::Result<Checkpoint> load_checkpoint(const std::string& path) {
    if (::access(path.c_str(), F_OK) != 0) {
        return Checkpoint{};
    }
    auto text = base::read_file(path);
    if (!text) {
        return base::fail(text.error());
    }
    auto checkpoint = checkpoint_from_json(*text);
    if (!checkpoint) {
        checkpoint.error().place.file = path;
    }
    return checkpoint;
}

base::Result<void> save_checkpoint(const Checkpoint& checkpoint, const std::string& path,
                                   base::Durability durability) {
    return base::write_file_atomically(path, checkpoint_to_json(checkpoint), 0600, durability);
}

}  // namespace portcullis::collect
