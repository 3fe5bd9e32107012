// Alert templates: the format of <custom_alert_output>, one line for each alert.
//
//   $TIMESTAMP.$FTELL $RULEALERT$HOSTNAME $LOCATION rule $RULEID ($RULELEVEL): $FULLLOG
//
// Values are put in once, so that a line that contains "$RULEID" is only text. Pure functions.
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

// All words that stand for something.
std::vector<std::string_view> template_tokens();
// What looks like one ("$" and capitals) but is none.
std::vector<TemplateToken> unknown_tokens(std::string_view format);
// The line, with its newline. What the alert does not have is "None"; line breaks in values are
// written as the two characters "\n".
std::string alert_from_template(std::string_view format, const Alert& alert);

}  // namespace portcullis::alert
