// Coverage (--coverage): which decoders and rules of a configuration lines have reached.
//
// A decoder is reached when an event becomes one of it, a rule when all its conditions hold, also
// if one of its children is the result. Built-in root rules do not count.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/diagnostic.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/logtest/decoding_record.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/trace.hpp"

namespace portcullis::logtest {

class Coverage {
  public:
    // Keeps `configuration` alive.
    explicit Coverage(std::shared_ptr<const pipeline::AnalyzerConfig> configuration);

    // Adds the decoders and rules that one line reached.
    void add(const DecodingRecord& decoding, const rules::Trace& trace);

    struct Unreached {
        std::string name;  // of the decoder; empty = it is a rule
        int id = 0;        // of the rule
        std::string description;
        base::SourcePlace place;
    };
    struct Kind {
        std::size_t total = 0;
        std::size_t reached = 0;
        std::vector<Unreached> unreached;  // in the order of trying or loading

        // 100 if there are none.
        double percent() const;
    };
    Kind decoders() const;
    Kind rules() const;

  private:
    std::shared_ptr<const pipeline::AnalyzerConfig> configuration_;
    std::unordered_set<const decode::Decoder*> decoders_;
    std::unordered_set<const rules::Rule*> rules_;
};

// "Decoders reached: 2 of 3 (66.7 %)", then the others, one per line; the same for rules.
std::string coverage_text(const Coverage& coverage);
// {"decoders": {"total", "reached", "percent", "unreached": [{"name", "file", "line"}]}, "rules":
// the same with "id" and "description" in place of "name"}
nlohmann::ordered_json coverage_json(const Coverage& coverage);

}  // namespace portcullis::logtest
