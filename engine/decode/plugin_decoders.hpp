// The table of decoders that are code, because patterns cannot express them: the values of
// <plugin_decoder> (spec: decoders, section 8). To add one, add a row to plugin_decoders.cpp.
#pragma once

#include <span>
#include <string_view>

#include "engine/event/event.hpp"
#include "engine/pattern/pattern.hpp"

namespace portcullis::decode {

struct PluginDecoder {
    std::string_view name;
    std::string_view help;
    std::string_view sample;  // a log (without header) that it reads
    // Sets fields of the event, possibly its type; never fails.
    void (*decode)(event::Event& event, pattern::MatchScratch& scratch);
};

std::span<const PluginDecoder> plugin_decoders();

}  // namespace portcullis::decode
