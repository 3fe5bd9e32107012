// The comma lists of <order> and <fts> (spec: decoders, sections 3.1 and 7). Load time only.
#pragma once

#include <string>
#include <vector>

#include "engine/decode/decoder.hpp"
#include "engine/decode/decoder_draft.hpp"

namespace portcullis::decode {

// Entries of an <order>: OSSEC's default limit.
inline constexpr std::size_t kMaxOrderEntries = 256;

// A name that looks like a misspelt field becomes a dynamic field all the same, with a warning.
std::vector<OrderEntry> parse_order(const DecoderDraft& draft, base::Diagnostics& diagnostics);

event::FtsParts parse_fts(const DecoderDraft& draft, base::Diagnostics& diagnostics);

}  // namespace portcullis::decode
