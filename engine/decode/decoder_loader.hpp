// Reads decoders from XML. Load time only; see DecoderSet for what comes out.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::decode {

// Names in an <order>: OSSEC's default limit.
inline constexpr std::size_t kMaxOrderEntries = 256;

// All decoders of all documents, in their order, as one set. Every defect is added to
// `diagnostics`; nullopt if one of them is an error.
std::optional<DecoderSet> load_decoders(const std::vector<xml::Document>& documents,
                                        base::Diagnostics& diagnostics,
                                        std::size_t max_order_entries = kMaxOrderEntries);

}  // namespace portcullis::decode
