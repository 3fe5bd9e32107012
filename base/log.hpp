// Log: the daemons' own messages, in OSSEC's form "YYYY/MM/DD hh:mm:ss program: LEVEL: text".
//
// Only programs make a Log; libraries get one. Messages are for people: lower case, no function
// names, and they say what to do. Writes to standard error and, once open_file() was called, to a
// file (O_APPEND, one write per message). Thread-safe after open_file().
#pragma once

#include <string>
#include <string_view>

#include "base/fd.hpp"

namespace portcullis::base {

enum class LogLevel { Debug, Info, Warning, Error, Critical };

class Log {
  public:
    explicit Log(std::string program) : program_(std::move(program)) {}
    virtual ~Log() = default;
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    // Also append to `path` from now on (created 0640). Error: "unwritable-file".
    Result<void> open_file(const std::string& path);
    void set_to_stderr(bool on) { to_stderr_ = on; }
    void set_debug(bool on) { debug_ = on; }

    // `text` may span lines; control characters other than '\n' become blanks.
    virtual void write(LogLevel level, std::string_view text);

    void debug(std::string_view text) { write(LogLevel::Debug, text); }
    void info(std::string_view text) { write(LogLevel::Info, text); }
    void warning(std::string_view text) { write(LogLevel::Warning, text); }
    void error(std::string_view text) { write(LogLevel::Error, text); }
    void critical(std::string_view text) { write(LogLevel::Critical, text); }

  private:
    std::string program_;
    UniqueFd file_;
    bool to_stderr_ = true;
    bool debug_ = false;
};

}  // namespace portcullis::base
