// DecodingRecord: how one event got its decoder, step by step, for --explain and --coverage.
//
// Hand it to Analyzer::process(). Texts are copies, decoders belong to the DecoderSet.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/decode/decoder_set.hpp"

namespace portcullis::logtest {

class DecodingRecord final : public decode::DecodeObserver {
  public:
    struct Attempt {
        const decode::Decoder* decoder;
        Step step;
        pattern::Pattern pattern;
        std::string subject;
        bool matched;
    };

    void clear() {
        attempts_.clear();
        adopted_.clear();
        fell_back_at_ = kNever;
    }
    void tried(const decode::Decoder& decoder, Step step, const pattern::Pattern& pattern,
               std::string_view subject, bool matched) override {
        attempts_.push_back({&decoder, step, pattern, std::string(subject), matched});
    }
    void adopted(const decode::Decoder& decoder) override { adopted_.push_back(&decoder); }
    void fell_back() override { fell_back_at_ = attempts_.size(); }

    const std::vector<Attempt>& attempts() const { return attempts_; }
    // The event was one of each of these, the last one counts.
    const std::vector<const decode::Decoder*>& adopted() const { return adopted_; }
    // Attempts from this one on are with decoders without a program name, for an event that has
    // one.
    std::size_t fell_back_at() const { return fell_back_at_; }

  private:
    static constexpr std::size_t kNever = static_cast<std::size_t>(-1);

    std::vector<Attempt> attempts_;
    std::vector<const decode::Decoder*> adopted_;
    std::size_t fell_back_at_ = kNever;
};

}  // namespace portcullis::logtest
