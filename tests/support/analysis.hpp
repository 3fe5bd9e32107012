// Makes a pipeline::AnalyzerConfig from XML texts or files, for tests of everything behind it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/decode/decoder_loader.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/rule_loader.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::test {

struct XmlSource {
    std::string name;
    std::string text;
};

inline std::vector<xml::Document> parse_all(const std::vector<XmlSource>& sources,
                                            base::Diagnostics& diagnostics) {
    std::vector<xml::Document> documents;
    for (const XmlSource& source : sources) {
        if (auto document = xml::Document::parse(source.name, source.text,
                                                 xml::Variables::Substitute, diagnostics)) {
            documents.push_back(std::move(*document));
        }
    }
    return documents;
}

// nullptr if something is wrong; `diagnostics` says what.
inline std::shared_ptr<const pipeline::AnalyzerConfig> make_analysis(
    const std::vector<XmlSource>& decoder_files, const std::vector<XmlSource>& rule_files,
    base::Diagnostics& diagnostics) {
    auto configuration = std::make_shared<pipeline::AnalyzerConfig>();
    auto decoders = decode::load_decoders(parse_all(decoder_files, diagnostics), diagnostics);
    if (!decoders) {
        return nullptr;
    }
    auto shared = std::make_shared<const decode::DecoderSet>(std::move(*decoders));
    rules::RuleOptions options;
    options.find_decoder_id = [shared](std::string_view name) {
        return shared->find_decoder_id(name);
    };
    configuration->decoders = shared;
    configuration->rules = std::make_shared<const rules::RuleSet>(
        rules::load_rules(parse_all(rule_files, diagnostics), options, diagnostics));
    return diagnostics.has_errors() ? nullptr : configuration;
}

}  // namespace portcullis::test
