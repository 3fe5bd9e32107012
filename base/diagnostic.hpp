// Diagnostic: one mistake in an input of the administrator, and its place.
//
// Loaders collect all mistakes in a Diagnostics and continue as far as they can; the caller checks
// has_errors() at the end. Plain values without a pointer into the loader.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace portcullis::base {

enum class Severity { Error, Warning };

// A place in a text file. `line` and `column` count from 1, columns in bytes; 0 = not known.
struct SourcePlace {
    std::string file;
    int line = 0;
    int column = 0;
};

struct Diagnostic {
    Severity severity = Severity::Error;
    std::string code;     // stable slug, e.g. "unknown-decoder"
    std::string message;  // lower case, no full stop, no exclamation mark
    SourcePlace place;
    std::string context;      // e.g. "rule 99990 > regex"; empty = none
    std::string source_line;  // the text of line `place.line`; empty = no snippet is shown
    int caret_length = 1;     // bytes underlined from place.column on
    std::string hint;         // what to do; empty = none
};

// An error with its code and message, and the place that it is about, if there is one: `{path}`
// for a file.
Diagnostic make_error(std::string code, std::string message, SourcePlace place = {});
// The same as a warning.
Diagnostic make_warning(std::string code, std::string message, SourcePlace place = {});

// The system's text for `error`, a value of errno.
std::string error_text(int error);

// Collects the diagnostics of a loader, in their order.
class Diagnostics {
  public:
    void add(Diagnostic diagnostic);
    bool has_errors() const { return error_count_ > 0; }
    int error_count() const { return error_count_; }
    const std::vector<Diagnostic>& all() const { return all_; }

  private:
    std::vector<Diagnostic> all_;
    int error_count_ = 0;
};

// The text for people, each line ended by '\n':
//   rules/a.xml:4:16: error: there is no decoder "iplog-scna" [unknown-decoder]
//     in rule 99990 > decoded_as
//        4 |     <decoded_as>iplog-scna</decoded_as>
//          |                 ^~~~~~~~~~
//     hint: did you mean "iplog-scan"?
// Control characters of the snippet are shown as blanks, so that an input cannot steer a terminal.
std::string render(const Diagnostic& diagnostic);
std::string render(const Diagnostics& diagnostics);

}  // namespace portcullis::base
