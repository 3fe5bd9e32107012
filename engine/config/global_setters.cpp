#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/did_you_mean.hpp"
#include "engine/alert/alert_template.hpp"
#include "engine/config/option_setters.hpp"

namespace portcullis::config {

void accept_mail_address(SectionReader& reader, const xml::Node& option) {
    if (!is_plausible_mail_address(option.text())) {
        reader.bad_value(option, "bad-mail-address",
                         fmt::format("\"{}\" is not a mail address", option.text()),
                         "an address has the form name@host");
    }
}

void accept_mail_switch(SectionReader& reader, const xml::Node& option) {
    if (read_yes_no(reader, option).value_or(false)) {
        reader.add_warning(
            option.error_in_text("no-effect", "there is no mail daemon: no mail will be sent"));
    }
}

void refuse(SectionReader& reader, const xml::Node& option) {
    reader.add(option.error("unsupported-option",
                            fmt::format("<{}> is for special builds of OSSEC", option.name())),
               "remove it");
}

void add_white_list(SectionReader& reader, const xml::Node& option) {
    const std::string_view text = option.text();
    const auto networks = parse_white_list_networks(text);
    if (!networks.empty()) {
        for (const auto& network : networks) {
            reader.config.white_list.add(network);
        }
        return;
    }
    if (is_plausible_host_name(text)) {
        reader.config.white_list_hosts.emplace_back(text);
        return;
    }
    reader.bad_value(option, "bad-address",
                     fmt::format("\"{}\" is not an address, a network or a host name", text),
                     "for example 192.0.2.1, 10.0.0.0/8, 2001:db8::/32 or www.example.org; a "
                     "network is written with a prefix length, not with a mask");
}

void add_white_list_file(SectionReader& reader, const xml::Node& option) {
    auto path = read_text(reader, option);
    if (!path) {
        return;
    }
    const auto at_text = option.error_in_text({}, {});
    FileReference reference;
    reference.path = *path;
    reference.place = at_text.place;
    reference.source_line = at_text.source_line;
    reference.caret_length = at_text.caret_length;
    reader.config.white_list_references.push_back(std::move(reference));
    reader.config.white_list_files.push_back(*std::move(path));
}

void set_ipv6_prefix(SectionReader& reader, const xml::Node& option) {
    if (const auto length = read_ipv6_prefix(reader, option)) {
        reader.config.ipv6_prefix = *length;
    }
}

void set_hold(SectionReader& reader, const xml::Node& option) {
    using base::HoldMode;
    const std::string_view text = option.text();
    if (text == "yes" || text == "no") {
        reader.config.hold.mode = text == "yes" ? HoldMode::Yes : HoldMode::No;
    } else if (text == "refused") {
        reader.config.hold.mode = HoldMode::Refused;
    } else {
        reader.bad_value(option, "bad-word",
                         fmt::format(R"("{}" is none of "yes", "no" and "refused")", text),
                         base::did_you_mean(text, {"yes", "no", "refused"}));
    }
}

void set_hold_seconds(SectionReader& reader, const xml::Node& option) {
    constexpr int kMost = 60;
    if (const auto seconds = read_number(reader, option, 1, kMost)) {
        reader.config.hold.seconds = std::chrono::seconds(*seconds);
    }
}

void set_hold_ipv6_prefix(SectionReader& reader, const xml::Node& option) {
    if (const auto length = read_ipv6_prefix(reader, option)) {
        reader.config.hold.ipv6_prefix = *length;
    }
}

// As in OSSEC, an unknown token is written as it is.
void set_alert_format(SectionReader& reader, const xml::Node& option) {
    auto text = read_text(reader, option);
    if (!text) {
        return;
    }
    for (const alert::TemplateToken& token : alert::unknown_tokens(*text)) {
        reader.add_warning(option.error_in_text("unknown-token",
                                                fmt::format("{} is not a known token", token.text),
                                                token.offset, token.text.size()),
                           base::did_you_mean(token.text, alert::template_tokens()));
    }
    reader.config.outputs.alert_format = *std::move(text);
}

void set_memory_size(SectionReader& reader, const xml::Node& option) {
    constexpr int kLeast = 2048;
    constexpr int kMost = 1'000'000;
    if (const auto value = read_number(reader, option, 0, kMost)) {
        reader.config.memory_size = std::max(*value, kLeast);
    }
}

}  // namespace portcullis::config
