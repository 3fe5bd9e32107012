// Any lines through the shipped decoders and rules, or through those of the home that
// PORTCULLIS_FUZZ_HOME names: views stay in the line, JSON stays JSON.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <nlohmann/json.hpp>

#include "engine/logtest/phases.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/state_store.hpp"
#include "programs/configuration.hpp"

using namespace portcullis;

namespace {

// What decoders captured is a part of the line. (The daemon respells the action of a firewall
// event.)
bool is_inside(const event::Event& event) {
    const std::string_view line = event.full_log;
    return event.type == event::EventType::Firewall ||
           std::all_of(event.decoded().begin(), event.decoded().end(), [&](const auto& field) {
               return field.value.data() >= line.data() &&
                      field.value.data() + field.value.size() <= line.data() + line.size();
           });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto configuration = [] {
        const char* other = std::getenv("PORTCULLIS_FUZZ_HOME");
        const programs::Home home(other != nullptr ? other : PORTCULLIS_SOURCE_DIR);
        base::Diagnostics diagnostics;
        return programs::load_configuration(home, home.config(), diagnostics);
    }();
    if (configuration == nullptr) {
        std::abort();
    }
    rules::MemoryStateStore store;
    pipeline::Analyzer analyzer(programs::HomeConfiguration::analysis_of(configuration),
                                pipeline::live_options("localhost"), store);
    std::string_view text(reinterpret_cast<const char*>(data), size);
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const pipeline::Outcome& outcome = analyzer.process(line, "fuzz", base::Timestamp());
        if (outcome.event->full_log.size() > line.size() || !is_inside(*outcome.event) ||
            !nlohmann::json::accept(logtest::phases_json(outcome).dump())) {
            std::abort();
        }
    }
    return 0;
}
