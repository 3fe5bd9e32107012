// Decoder: one <decoder> element, compiled (spec: decoders, section 3).
//
// Plain values, immutable in a DecoderSet. Only the loader makes them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/event/event.hpp"
#include "engine/pattern/pattern.hpp"

namespace portcullis::decode {

struct PluginDecoder;  // plugin_decoders.hpp

// Where the subject of a pattern begins (attribute offset).
enum class OffsetBase : std::uint8_t { Log, AfterParent, AfterPrematch, AfterRegex };

// The field that a capture becomes.
struct OrderEntry {
    std::optional<event::FieldId> field;  // nullopt = a dynamic field
    std::string name;                     // of a dynamic field
};

struct Decoder {
    std::string name;         // attribute name
    base::SourcePlace place;  // of the element
    // The decoder name of an event of this decoder: the name of the parent, unless this is a
    // top-level decoder or has use_own_name. The id belongs to that name.
    std::string reported_name;
    int id = 0;
    std::string parent;  // name of the top-level decoder above; empty = this is one

    event::EventType type = event::EventType::Syslog;
    std::optional<pattern::Pattern> program_name;
    std::optional<pattern::Pattern> prematch;
    std::optional<pattern::Pattern> regex;
    OffsetBase prematch_offset = OffsetBase::Log;
    OffsetBase regex_offset = OffsetBase::Log;
    std::vector<OrderEntry> order;
    std::optional<event::FtsParts> fts;
    bool accumulates = false;
    const PluginDecoder* plugin = nullptr;  // a row of the table

    // The next sibling belongs to the same chain of regexes (attribute get_next in OSSEC's terms).
    bool has_next_in_chain = false;
    std::vector<Decoder> children;  // of a top-level decoder, in order of definition
};

}  // namespace portcullis::decode
