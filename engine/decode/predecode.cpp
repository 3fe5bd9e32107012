#include "engine/decode/predecode.hpp"

#include <algorithm>
#include <optional>

#include "base/ascii.hpp"
#include "engine/decode/header_formats.hpp"

namespace portcullis::decode {
namespace {

using base::is_alphanumeric;
using base::is_digit;
using base::is_lower;

// The characters of host and program names.
bool is_name_char(char c) {
    return is_alphanumeric(c) || std::string_view("-./_@()").find(c) != std::string_view::npos;
}

// Reads a text from its beginning. A take_ function that fails consumes nothing.
class Cursor {
  public:
    explicit Cursor(std::string_view text) : rest_(text) {}

    std::string_view rest() const { return rest_; }

    template <class Predicate>
    std::string_view take_while(Predicate predicate) {
        const auto end = std::find_if_not(rest_.begin(), rest_.end(), predicate);
        const auto taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
        rest_.remove_prefix(taken.size());
        return taken;
    }

    bool take(std::string_view text) {
        if (!rest_.starts_with(text)) {
            return false;
        }
        rest_.remove_prefix(text.size());
        return true;
    }

  private:
    std::string_view rest_;
};

struct Program {
    std::string_view name;
    std::string_view text;  // after "name[pid]: "
};

// "[123]: " or, if `colon` is optional, "[123] " as well.
enum class PidColon { Required, Optional };

bool take_pid(Cursor& cursor, PidColon colon) {
    Cursor attempt = cursor;
    if (!attempt.take("[") || attempt.take_while(is_digit).empty() || !attempt.take("]")) {
        return false;
    }
    if (!attempt.take(": ") && !(colon == PidColon::Optional && attempt.take(" "))) {
        return false;
    }
    cursor = attempt;
    return true;
}

// "|security:info " of AIX's "auth|security:info sshd[12]: text".
bool take_aix_facility(Cursor& cursor) {
    Cursor attempt = cursor;
    if (!attempt.take("|") || attempt.rest().empty() || !is_lower(attempt.rest().front())) {
        return false;
    }
    attempt.take_while(is_alphanumeric);
    if (!attempt.take(":")) {
        return false;
    }
    attempt.take_while(is_alphanumeric);
    if (!attempt.take(" ")) {
        return false;
    }
    cursor = attempt;
    return true;
}

// The program name at the start of what follows the host name. OSSEC-COMPAT: an AIX line whose
// program is not followed by ": " has none here, where OSSEC uses the rest of the line as the name
// (predecode_test: "AIX").
std::optional<Program> parse_program(std::string_view text) {
    Cursor cursor(text);
    std::string_view name = cursor.take_while(is_name_char);
    if (cursor.take(": ") || take_pid(cursor, PidColon::Optional)) {
        return Program{name, cursor.rest()};
    }
    if (take_aix_facility(cursor)) {
        name = cursor.take_while(is_name_char);
        if (cursor.take(": ") || take_pid(cursor, PidColon::Required)) {
            return Program{name, cursor.rest()};
        }
    }
    return std::nullopt;
}

// Solaris puts "[ID 800047 auth.info] " before the text.
std::string_view without_solaris_id(std::string_view text) {
    if (text.starts_with("[ID ")) {
        const auto end = text.find("] ");
        if (end != std::string_view::npos) {
            text.remove_prefix(end + 2);
        }
    }
    return text;
}

void set_program(event::Event& event, const Program& program) {
    event.program_name = program.name;
    event.log = without_solaris_id(program.text);
}

void set_host(event::Event& event, std::string_view hostname) {
    event.hostname = hostname;
    event.has_header_hostname = true;
}

void parse_host_and_program(event::Event& event) {
    Cursor cursor(event.log);
    const std::string_view host = cursor.take_while(is_name_char);
    if (cursor.take(": ")) {  // no host: "prog: text"
        set_program(event, {host, cursor.rest()});
        return;
    }
    if (!cursor.take(" ")) {
        return;
    }
    set_host(event, host);
    event.log = cursor.rest();
    if (const auto program = parse_program(event.log)) {
        set_program(event, *program);
    }
}

// "[Sender sshd] [Message text] [Host mac1]"; other groups are skipped.
void parse_asl_groups(event::Event& event) {
    std::string_view text = event.log;
    bool has_message = false;
    for (auto open = text.find('['); open != std::string_view::npos; open = text.find('[')) {
        text.remove_prefix(open + 1);
        const auto close = text.find(']');
        const bool is_closed = close != std::string_view::npos;
        Cursor group(text.substr(0, close));
        if (group.take("Sender ")) {
            if (is_closed && !event.program_name) {
                event.program_name = group.rest();
            }
        } else if (group.take("Message ")) {
            if (!has_message) {
                event.log = group.rest();
                has_message = true;
            }
        } else if (group.take("Host ")) {
            if (is_closed) {
                set_host(event, group.rest());
            }
            return;
        }
        if (!is_closed) {
            return;
        }
        text.remove_prefix(close + 1);
    }
}

}  // namespace

void predecode(event::Event& event, std::string_view local_hostname) {
    const HeaderText header(event.full_log);
    for (const auto& format : header_formats()) {
        const auto start = format.text_start(header);
        if (!start) {
            continue;
        }
        event.log = std::string_view(event.full_log);
        event.log.remove_prefix(std::min(*start, event.log.size()));
        if (format.rest == HeaderRest::HostAndProgram) {
            if (event.log.starts_with(' ')) {
                event.log.remove_prefix(1);
            }
            parse_host_and_program(event);
        } else if (format.rest == HeaderRest::AslGroups) {
            parse_asl_groups(event);
        }
        break;
    }
    if (event.location.starts_with('(')) {
        event.hostname = event.location;
    } else if (!event.hostname) {
        event.hostname = local_hostname;
    }
}

}  // namespace portcullis::decode
