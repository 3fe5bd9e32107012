// Output of logtest on a terminal: colours, and text without control sequences.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace portcullis::programs {

class TerminalText {
  public:
    // A terminal gets colours unless NO_COLOR is set to something or it is a dumb one; anything
    // else gets text as it is.
    explicit TerminalText(std::FILE* stream);

    // Writes `text` and flushes; false = the stream failed.
    bool write(std::string_view text) const;

  private:
    std::FILE* stream_;
    bool is_terminal_;
    bool has_colours_;
};

// `text` of logtest with its headings, matches and alerts coloured, by line.
std::string coloured(std::string_view text);
// Valid UTF-8 without C1 control characters (an event has no others).
std::string harmless(std::string_view text);

}  // namespace portcullis::programs
