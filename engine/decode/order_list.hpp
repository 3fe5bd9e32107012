// The comma lists of <order> and <fts> (spec: decoders, sections 3.1 and 7). Load time only.
#pragma once

#include <string>
#include <vector>

#include "engine/decode/decoder.hpp"
#include "engine/decode/decoder_draft.hpp"

namespace portcullis::decode {

// More than `max_entries` names are an error. A name that looks like a misspelt field becomes a
// dynamic field all the same, with a warning.
std::vector<OrderEntry> parse_order(const DecoderDraft& draft, std::size_t max_entries,
                                    base::Diagnostics& diagnostics);

event::FtsParts parse_fts(const DecoderDraft& draft, base::Diagnostics& diagnostics);

}  // namespace portcullis::decode
