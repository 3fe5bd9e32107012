// A decoder file and, behind its last line feed, a log line. A file that loads must decode any
// line, and the fields must lie in the line (or be strings that the event keeps: plugin decoders).
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/decode/decoder_loader.hpp"
#include "engine/decode/predecode.hpp"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto newline = input.rfind('\n');
    if (size > 4096 || newline == std::string_view::npos) {
        return 0;
    }
    base::Diagnostics diagnostics;
    const auto document = xml::Document::parse("fuzz.xml", input.substr(0, newline),
                                               xml::Variables::Substitute, diagnostics);
    const auto set = document ? decode::load_decoders({*document}, diagnostics) : std::nullopt;
    base::render(diagnostics);
    if (!set) {
        return diagnostics.has_errors() ? 0 : (std::abort(), 0);
    }
    static pattern::MatchScratch scratch;
    static event::Event event;
    event.reset(input.substr(newline + 1), "stdin", {});
    decode::predecode(event, "local");
    set->decode(event, scratch);
    const std::string_view line = event.full_log;
    const bool has_plugin = input.find("plugin_decoder") != std::string_view::npos;
    for (const auto& field : event.decoded()) {
        if (!has_plugin && (field.value.data() < line.data() ||
                            field.value.data() + field.value.size() > line.data() + line.size())) {
            std::abort();
        }
    }
    return 0;
}
