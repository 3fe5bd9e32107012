// lint_decoders: finds parts of decoder files that are valid, but most likely not intended.
//
// Runs when an author asks for it (portcullis-logtest -t, --lint), on files that loaded without an
// error; daemons do not run it. All its findings are warnings; docs/diagnostics.md explains each.
#pragma once

#include <bitset>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::decode {

struct DecoderLintOptions {
    // Names of the dynamic fields that rules use (<field name="…">), in lower case: such a name in
    // an <order> is not a mistake.
    std::set<std::string, std::less<>> fields_of_rules;
};

// `documents` are the decoder files in the order of loading. REQUIRES: load_decoders() found no
// error in them.
void lint_decoders(const std::vector<xml::Document>& documents, const DecoderLintOptions& options,
                   base::Diagnostics& diagnostics);

// For each decoder id that an event can have, the types that its events can have. The names that no
// event has are missing: those of children whose events have the name of their parent, and the
// built-in ones.
using EventTypes = std::bitset<8>;  // by event::EventType
std::map<int, EventTypes> event_types_of(const DecoderSet& decoders);

// The decoder ids whose events may have a srcip.
std::set<int> decoders_with_srcip(const DecoderSet& decoders);

}  // namespace portcullis::decode
