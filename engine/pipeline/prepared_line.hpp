// PreparedLine: one log line after everything that needs no earlier line: pre-decoding, decoding
// and the completeness of firewall events.
//
// Analyzer::prepare() fills it, on any thread; Analyzer::commit() takes it, in the order of lines.
// It holds an Event and the working memory of matching, so keep a few and fill them again: in the
// steady state that allocates nothing. Used by one thread at a time.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/event/event.hpp"
#include "engine/pattern/pattern.hpp"

namespace portcullis::pipeline {

class PreparedLine {
  public:
    // The decoded event; commit() may still fill fields from earlier lines.
    const event::Event& event() const { return event_; }

  private:
    friend class Analyzer;

    event::Event event_;
    // Also used by commit(): a line that drove a pattern to its limit keeps the lower limit.
    pattern::MatchScratch scratch_;
    std::uint64_t counted_limit_hits_ = 0;  // hits of scratch_ that are in Analyzer::counters()
    std::string_view location_;             // as given to prepare()
    std::uint64_t generation_ = 0;          // of the configuration and options it was made with
    bool has_control_characters_ = false;
    bool is_invalid_utf8_ = false;
    bool is_incomplete_ = false;  // a firewall event that lacks a field, which is dropped
};

}  // namespace portcullis::pipeline
