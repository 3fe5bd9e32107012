// DecoderSet: all decoders of a configuration, and the decision which of them takes an event.
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

// Called for each step of a decision, for --explain and --coverage; it cannot change the decision.
class DecodeObserver {
  public:
    enum class Step { ProgramName, Prematch, Regex };

    virtual ~DecodeObserver() = default;
    // `pattern` was tried on `subject`. Views are valid during the call only.
    virtual void tried(const Decoder& decoder, Step step, const pattern::Pattern& pattern,
                       std::string_view subject, bool matched) = 0;
    // `decoder` has taken the event; one of its children may still take it.
    virtual void adopted(const Decoder& /*decoder*/) {}
    // No decoder with a program name took the event: the decoders without one are tried.
    virtual void fell_back() = 0;
};

class DecoderSet {
  public:
    // A set with only the built-in names.
    DecoderSet();

    // The id of the events of a decoder with this name, compared with case. Known names are those
    // in the files, including children whose events have their parent's name (no event has such an
    // id), and the built-in ones (spec: decoders, section 6). Ids are > 0.
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
