#include <cstdlib>
#include <string>
#include <vector>

#include "engine/collect/log_formats.hpp"

namespace collect = portcullis::collect;

static std::vector<std::string> records_of(const collect::LogFormat& format, std::string_view text,
                                           std::size_t piece) {
    const auto reader = format.make_reader({"/service/name/current", 3});
    std::vector<std::string> records;
    const auto keep = [&](std::string_view record) { records.emplace_back(record); };
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
        reader->feed(text.substr(0, piece), keep);
    }
    reader->finish(keep);
    if (reader->pending() != 0) {
        std::abort();
    }
    return records;
}

// Records do not depend on how the bytes arrive, and none is too long.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const collect::LogFormat& format : collect::log_formats()) {
        const auto records = records_of(format, text, text.size());
        if (records != records_of(format, text, 1)) {
            std::abort();
        }
        for (const std::string& record : records) {
            if (record.size() > collect::kMaxRecord) {
                std::abort();
            }
        }
    }
    return 0;
}
