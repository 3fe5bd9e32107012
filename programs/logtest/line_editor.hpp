// LineEditor: lines typed at a terminal, with editing and a history that is kept (libedit).
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace portcullis::programs {

class LineEditor {
  public:
    static constexpr int kMaxHistory = 1000;

    // Standard input and output are a terminal.
    static bool is_possible();
    // $XDG_STATE_HOME/portcullis/logtest_history, else below ~/.local/state; empty = there is no
    // such place.
    static std::string default_history_path();

    // `history_path`: a file that is this user's, or is made; empty = no history is kept.
    explicit LineEditor(std::string history_path);
    ~LineEditor();
    LineEditor(const LineEditor&) = delete;
    LineEditor& operator=(const LineEditor&) = delete;

    // The next line, without its newline; nullopt = the end. It is in the history, and on disk,
    // when this returns. A signal ends the program as usual, with the terminal as it was.
    std::optional<std::string> read();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace portcullis::programs
