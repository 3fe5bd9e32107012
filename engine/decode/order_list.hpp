// The comma lists of <order> and <fts> (spec: decoders, sections 3.1 and 7). Load time only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/decode/decoder.hpp"
#include "engine/decode/decoder_draft.hpp"

namespace portcullis::decode {

// The names of an <order>, without the blanks around them. An empty name is an error that
// parse_order() reports.
struct OrderWord {
    std::string_view text;
    std::size_t offset = 0;  // in the list
    std::size_t blanks = 0;  // before it
};
std::vector<OrderWord> order_words(std::string_view list);

// More than `max_entries` names are an error.
std::vector<OrderEntry> parse_order(const DecoderDraft& draft, std::size_t max_entries,
                                    base::Diagnostics& diagnostics);

event::FtsParts parse_fts(const DecoderDraft& draft, base::Diagnostics& diagnostics);

}  // namespace portcullis::decode
