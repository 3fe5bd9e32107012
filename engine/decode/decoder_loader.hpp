// Reads decoders from XML. Load time only; see DecoderSet for what comes out.
#pragma once

#include <optional>
#include <vector>

#include "engine/base/diagnostic.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::decode {

// All decoders of all documents, in their order, as one set. Every defect is added to
// `diagnostics`; nullopt if one of them is an error.
std::optional<DecoderSet> load_decoders(const std::vector<xml::Document>& documents,
                                        base::Diagnostics& diagnostics);

}  // namespace portcullis::decode
