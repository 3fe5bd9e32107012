// Decoder sets from XML text, and events decoded by them.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/decode/decoder_loader.hpp"
#include "engine/decode/predecode.hpp"

namespace portcullis::test {

inline std::optional<decode::DecoderSet> load_decoders_from(std::string_view xml,
                                                            base::Diagnostics& diagnostics) {
    const auto document =
        xml::Document::parse("decoders.xml", xml, xml::Variables::Substitute, diagnostics);
    if (!document) {
        return std::nullopt;
    }
    return decode::load_decoders({*document}, diagnostics);
}

// REQUIREs that the XML loads.
inline decode::DecoderSet decoders_from(std::string_view xml) {
    base::Diagnostics diagnostics;
    auto set = load_decoders_from(xml, diagnostics);
    INFO(base::render(diagnostics));
    REQUIRE(set);
    return std::move(*set);
}

// A line's decoder and fields as one text: "gate srcip=1.2.3.4 dstuser=bob"; "-" = no decoder.
inline std::string decoded(const decode::DecoderSet& set, std::string_view line,
                           decode::DecodeObserver* observer = nullptr) {
    event::Event event;
    pattern::MatchScratch scratch;
    event.reset(line, "stdin", {});
    decode::predecode(event, "local");
    set.decode(event, scratch, observer);
    std::string out = event.decoder_id == 0 ? "-" : std::string(event.decoder_name);
    for (const auto& field : event.decoded()) {
        out += ' ';
        out += field.label;
        out += '=';
        out += field.value;
    }
    return out;
}

}  // namespace portcullis::test
