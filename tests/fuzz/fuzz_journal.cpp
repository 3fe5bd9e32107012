// Any bytes are a journal: what they say is replayed, and replaying never reads a record out of a
// damaged line, so a prefix of the bytes never knows more records than the whole.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/execd/journal.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace portcullis::execd;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const JournalState state = replay_journal(bytes);
    const JournalState half = replay_journal(bytes.substr(0, size / 2));
    if (half.records > state.records ||
        state.bans.size() > static_cast<std::size_t>(state.records)) {
        std::abort();
    }
    return 0;
}
