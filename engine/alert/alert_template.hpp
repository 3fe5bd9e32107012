// Alert templates: the format of <custom_alert_output>, one line for each alert.
//
//   $TIMESTAMP.$FTELL $RULEALERT$HOSTNAME $LOCATION rule $RULEID ($RULELEVEL): $FULLLOG
//
// Values are substituted once, so a line that contains "$RULEID" is only text. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/alert/alert.hpp"

namespace portcullis::alert {

struct TemplateToken {
    std::size_t offset;
    std::string_view text;  // "$RULEID"
};

// All tokens.
std::vector<std::string_view> template_tokens();
// The parts of `format` that look like a token ("$" and capitals) but are not one.
std::vector<TemplateToken> unknown_tokens(std::string_view format);
// The line, with its newline. A value that the alert does not have is "None"; a line break in a
// value becomes the two characters "\n".
std::string alert_from_template(std::string_view format, const Alert& alert);

}  // namespace portcullis::alert
