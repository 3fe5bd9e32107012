#include "engine/respond/response_plan.hpp"

#include <algorithm>

#include "engine/collect/location.hpp"

namespace portcullis::respond {

using base::BlockChoice;
using base::BlockKind;
using base::Evidence;

bool listens_to(const ActiveResponseConfig& response, std::string_view source) {
    const auto& files = response.from_files;
    return files.empty() ||
           std::any_of(files.begin(), files.end(), [path = std::string(source)](const auto& file) {
               return collect::is_of_location(file, path);
           });
}

std::string other_source_text(const ActiveResponseConfig& response) {
    std::string text = "not from ";
    for (std::size_t i = 0; i < response.from_files.size(); ++i) {
        text += (i == 0 ? "" : " or ") + response.from_files[i];
    }
    return text;
}

std::optional<PlannedBlock> planned_block(const ActiveResponseConfig& response, Evidence evidence) {
    const auto timeout = evidence == Evidence::Proven
                             ? response.timeout
                             : response.forgeable_timeout.value_or(response.timeout);
    switch (response.block) {
        case BlockChoice::Hard:
            return PlannedBlock{BlockKind::Hard, timeout};
        case BlockChoice::Soft:
            return PlannedBlock{BlockKind::Soft, timeout};
        case BlockChoice::Auto:
            break;
    }
    if (evidence == Evidence::Doubtful) {
        return std::nullopt;
    }
    return PlannedBlock{evidence == Evidence::Proven ? BlockKind::Hard : BlockKind::Soft, timeout};
}

}  // namespace portcullis::respond
