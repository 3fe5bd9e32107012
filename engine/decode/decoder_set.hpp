// DecoderSet: all decoders of a configuration, and the decision which of them an event gets.
//
// An immutable value, cheap to copy (copies share the decoders), used by many threads at once. A
// decoded event's decoder names point into the set that decoded it, so the set must outlive the
// event's content.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/decode/decoder.hpp"
#include "engine/event/event.hpp"
#include "engine/pattern/pattern.hpp"

namespace portcullis::decode {

// Told of each step of a decision, for --explain and --coverage; never part of the decision.
class DecodeObserver {
  public:
    enum class Step { ProgramName, Prematch, Regex };

    virtual ~DecodeObserver() = default;
    // `pattern` was tried on `subject`. Views are valid during the call only.
    virtual void tried(const Decoder& decoder, Step step, const pattern::Pattern& pattern,
                       std::string_view subject, bool matched) = 0;
    // The event is one of `decoder` now (and may yet become one of its children).
    virtual void adopted(const Decoder& /*decoder*/) {}
    // No decoder with a program name took the event: it falls back to those without.
    virtual void fell_back() = 0;
};

class DecoderSet {
  public:
    // No decoder but the built-in names.
    DecoderSet();

    // The id that events of a decoder of this name have; compares exactly. Known are the names in
    // the files, also of children that report their parent's name (such an id is in no event), and
    // the built-in ones (spec: decoders, section 6). Ids are > 0.
    std::optional<int> find_decoder_id(std::string_view name) const;
    // All names that find_decoder_id() knows, for "did you mean".
    std::vector<std::string_view> decoder_names() const;

    // Finds the event's decoder and sets decoder_*, type, fts, accumulates and the fields (spec:
    // decoders, section 5). REQUIRES: predecode() was called for the event.
    void decode(event::Event& event, pattern::MatchScratch& scratch,
                DecodeObserver* observer = nullptr) const;

    // Top-level decoders with and without a program name, each in the order in which they are
    // tried.
    const std::vector<Decoder>& program_decoders() const;
    const std::vector<Decoder>& other_decoders() const;

  private:
    friend class DecoderLoader;
    struct Data;
    explicit DecoderSet(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
    std::shared_ptr<const Data> data_;
};

}  // namespace portcullis::decode
