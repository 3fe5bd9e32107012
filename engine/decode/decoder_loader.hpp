// Reads decoders from XML, at load time, into a DecoderSet.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::decode {

// Most names in an <order>: OSSEC's default limit.
inline constexpr std::size_t kMaxOrderEntries = 256;

// All decoders of all documents, in their order, as one set. Adds every defect to `diagnostics`;
// nullopt = one of them is an error.
std::optional<DecoderSet> load_decoders(const std::vector<xml::Document>& documents,
                                        base::Diagnostics& diagnostics,
                                        std::size_t max_order_entries = kMaxOrderEntries);

}  // namespace portcullis::decode
