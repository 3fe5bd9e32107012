// The data that copies of a DecoderSet share. Internal to this folder.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/decode/decoder_set.hpp"

namespace portcullis::decode {

struct DecoderSet::Data {
    std::vector<Decoder> program_decoders;
    std::vector<Decoder> other_decoders;
    std::map<std::string, int, std::less<>> ids;  // by name

    // The id of a name; a new name gets a new id.
    int id_of(std::string_view name) {
        return ids.emplace(name, static_cast<int>(ids.size()) + 1).first->second;
    }
    // Gives the built-in names their ids.
    void add_builtin_names();
};

}  // namespace portcullis::decode
