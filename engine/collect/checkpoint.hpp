// Checkpoint: the read positions of all files, kept over a restart.
//
// A JSON file (docs/layout.md), replaced as a whole by rename(2): a kill at any instant leaves the
// old or the new one. A missing, damaged or foreign file is an empty checkpoint.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "engine/collect/file_tailer.hpp"

namespace portcullis::collect {

struct Checkpoint {
    std::vector<TailedPath> files;

    // nullptr = this path is not known.
    const TailedPath* find(std::string_view path) const;
};

std::string checkpoint_to_json(const Checkpoint& checkpoint);
// Error "bad-checkpoint".
base::Result<Checkpoint> checkpoint_from_json(std::string_view json);

// A missing file is an empty checkpoint. Errors: "unreadable-file", "bad-checkpoint".
base::Result<Checkpoint> load_checkpoint(const std::string& path);

// Error "unwritable-file".
base::Result<void> save_checkpoint(const Checkpoint& checkpoint, const std::string& path,
                                   base::Durability durability);

}  // namespace portcullis::collect
