#include "engine/alert/record_formats.hpp"

#include <algorithm>
#include <array>

#include "engine/alert/json_writer.hpp"
#include "engine/alert/local_time.hpp"

namespace portcullis::alert {
namespace {

using event::FieldId;

// Groups of compliance standards have arrays of their own.
struct GroupPrefix {
    std::string_view prefix;
    std::string_view key;
};
constexpr std::array kComplianceGroups{GroupPrefix{"pci_dss_", "PCI_DSS"},
                                       GroupPrefix{"cis_", "CIS"}};

// An agent's location, "(name) address->file", already contains the host.
bool is_agent_location(std::string_view location) {
    return !location.empty() && location.front() == '(';
}

void append_host_and_location(std::string& out, std::string_view host, std::string_view location) {
    if (!is_agent_location(location) && host != location) {
        out += host;
        out += "->";
    }
    out += location;
}

void append_line(std::string& out, std::string_view label, std::string_view value) {
    out += label;
    out += value;
    out += '\n';
}

std::string_view cut(std::string_view line) { return line.substr(0, kMaxLoggedLine); }

void append_array_item(std::string& array, std::string_view item) {
    array += array.empty() ? '[' : ',';
    append_json_string(array, item);
}

// Calls `take` for each name in "syslog,sshd,".
template <class Take>
void for_each_group(std::string_view groups, Take take) {
    while (!groups.empty()) {
        const std::size_t comma = groups.find(',');
        const std::string_view name = groups.substr(0, comma);
        if (!name.empty()) {
            take(name);
        }
        groups.remove_prefix(comma == std::string_view::npos ? groups.size() : comma + 1);
    }
}

void append_groups(JsonWriter& json, std::string_view groups) {
    std::string names;
    std::array<std::string, kComplianceGroups.size()> compliance;
    for_each_group(groups, [&](std::string_view name) {
        for (std::size_t i = 0; i < kComplianceGroups.size(); ++i) {
            const std::string_view prefix = kComplianceGroups[i].prefix;
            if (name.substr(0, prefix.size()) == prefix) {
                append_array_item(compliance[i], name.substr(prefix.size()));
                return;
            }
        }
        append_array_item(names, name);
    });
    if (!names.empty()) {
        json.raw_member("groups", names + "]");
    }
    for (std::size_t i = 0; i < kComplianceGroups.size(); ++i) {
        if (!compliance[i].empty()) {
            json.raw_member(kComplianceGroups[i].key, compliance[i] + "]");
        }
    }
}

std::string joined(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) {
        all += (all.empty() ? "" : "; ") + text;
    }
    return all;
}

std::string rule_as_json(const RuleFacts& rule) {
    JsonWriter json;
    if (rule.level > 0) {
        json.member("level", rule.level);
    }
    json.member_unless_empty("comment", rule.description);
    json.member("sidid", rule.id);
    json.member_unless_empty("cve", rule.cve);
    json.member_unless_empty("info", joined(rule.info));
    if (rule.frequency > 0) {
        json.member("frequency", rule.frequency);
    }
    if (rule.fired_times > 0) {
        json.member("firedtimes", rule.fired_times);
    }
    json.member_unless_empty("group", rule.group);
    append_groups(json, rule.group);
    return json.finish();
}

std::string_view text_of(const std::optional<std::string>& field) {
    return field ? std::string_view(*field) : std::string_view();
}
std::string_view text_of(const std::optional<std::string_view>& field) {
    return field.value_or(std::string_view());
}

// Members of `source` (an Alert or an Event) that come from decoded fields, in this order.
template <class Source, std::size_t N>
void append_fields(JsonWriter& json, const Source& source, const std::array<FieldId, N>& fields) {
    for (const FieldId id : fields) {
        json.member_unless_empty(event::spec_of(id).key, text_of(source.field(id)));
    }
}

void append_decoder(JsonWriter& json, std::string_view key, std::string_view parent,
                    std::string_view name, bool has_fts, bool accumulates) {
    JsonWriter decoder;
    if (has_fts) {
        decoder.member("fts", 1);
    }
    if (accumulates) {
        decoder.member("accumulate", 1);
    }
    decoder.member_unless_empty("parent", parent);
    decoder.member_unless_empty("name", name);
    if (!decoder.is_empty()) {
        json.raw_member(key, decoder.finish());
    }
}

struct Origin {
    std::string_view agent_name;
    std::string_view agent_address;  // empty = no agent
    std::string_view logfile;
};

// "(web) 10.0.0.2->/var/log/x" → "web", "10.0.0.2" and "/var/log/x"; otherwise the host and the
// location.
Origin origin_of(std::string_view host, std::string_view location) {
    const std::size_t bracket = location.find(')');
    if (!is_agent_location(location) || bracket == std::string_view::npos) {
        return {host, {}, location};
    }
    const std::string_view name = location.substr(1, bracket - 1);
    const std::size_t arrow = location.find("->", bracket);
    if (arrow == std::string_view::npos) {
        return {name, {}, location};
    }
    std::string_view address = location.substr(bracket + 1, arrow - bracket - 1);
    address.remove_prefix(std::min(address.find_first_not_of(' '), address.size()));
    return {name, address, location.substr(arrow + 2)};
}

struct LabelledField {
    FieldId id;
    std::string_view label;
};
// Other fields are not in alerts.log.
constexpr std::array kTextFields{
    LabelledField{FieldId::SrcIp, "Src IP: "}, LabelledField{FieldId::SrcPort, "Src Port: "},
    LabelledField{FieldId::DstIp, "Dst IP: "}, LabelledField{FieldId::DstPort, "Dst Port: "},
    LabelledField{FieldId::DstUser, "User: "},
};

}  // namespace

std::string alert_as_text(const Alert& alert) {
    std::string out = "** Alert " + alert.name() + ":";
    out += alert.mail ? " mail " : "";
    append_line(out, " - ", alert.rule.group);
    out += local_time_text(alert.time) + " ";
    append_host_and_location(out, alert.hostname, alert.location);
    out += "\nRule: " + std::to_string(alert.rule.id) + " (level " +
           std::to_string(alert.rule.level) + ") -> '";
    out += alert.rule.description.empty() ? "(null)" : alert.rule.description;
    out += "'\n";
    for (const LabelledField& field : kTextFields) {
        if (alert.field(field.id)) {
            append_line(out, field.label, *alert.field(field.id));
        }
    }
    append_line(out, "", cut(alert.full_log));
    for (const std::string& line : alert.previous_lines) {
        append_line(out, "", cut(line));
    }
    if (alert.previous_output) {
        append_line(out, "Previous output:\n", *alert.previous_output);
    }
    out += '\n';
    return out;
}

std::string alert_as_json(const Alert& alert) {
    static constexpr std::array kBeforeLocation{FieldId::Action,  FieldId::Protocol, FieldId::SrcIp,
                                                FieldId::SrcPort, FieldId::SrcUser,  FieldId::DstIp,
                                                FieldId::DstPort, FieldId::DstUser};
    // OSSEC-COMPAT: OSSEC has "command" between status and url; no decoded field sets it.
    static constexpr std::array kAfterProgram{FieldId::Status, FieldId::Url, FieldId::ExtraData,
                                              FieldId::SystemName};
    JsonWriter json;
    json.raw_member("rule", rule_as_json(alert.rule));
    json.member("id", alert.name());
    json.member("TimeStamp",
                std::chrono::duration_cast<std::chrono::milliseconds>(alert.time.time_since_epoch())
                    .count());
    json.member_unless_empty("decoder", alert.decoder_name);
    json.member_unless_empty("decoder_parent", alert.decoder_parent);
    append_fields(json, alert, kBeforeLocation);
    json.member_unless_empty("location", alert.location);
    json.member_unless_empty("full_log", alert.full_log);
    if (alert.previous_output) {
        json.member("previous_output", *alert.previous_output);
    } else if (alert.previous_lines.size() > 1) {
        // OSSEC-COMPAT: the second remembered line only (quirk 65).
        json.member("previous_output", alert.previous_lines[1]);
    }
    json.member_unless_empty("hostname", alert.hostname);
    json.member_unless_empty("program_name", alert.program_name);
    append_fields(json, alert, kAfterProgram);
    for (const auto& [name, value] : alert.dynamic_fields) {
        json.member_unless_empty(name, value);
    }
    append_decoder(json, "decoder_desc", alert.decoder_parent, alert.decoder_name,
                   alert.decoder_has_fts, alert.decoder_accumulates);
    const Origin origin = origin_of(alert.hostname, alert.location);
    json.member_unless_empty("agent_name", origin.agent_name);
    json.member_unless_empty("agentip", origin.agent_address);
    json.member("timestamp", local_time_text(alert.time));
    json.member_unless_empty("logfile", origin.logfile);
    if (alert.evidence) {  // of Portcullis only; at the end, so that OSSEC's members keep their
                           // positions
        json.member("evidence", base::word_of(*alert.evidence));
    }
    return json.finish() + "\n";
}

std::string event_as_text(const event::Event& event, const Alert* /*alert*/) {
    std::string out = local_time_text(event.received) + " ";
    append_host_and_location(out, text_of(event.hostname), event.location);
    append_line(out, " ", event.full_log);
    return out;
}

std::string firewall_event_as_text(const event::Event& event) {
    const auto port = [&](FieldId id) {
        const std::string_view text = text_of(event.field(id));
        return text.empty() ? std::string_view("0") : text;
    };
    std::string out = local_time_text(event.received) + " ";
    append_host_and_location(out, text_of(event.hostname), event.location);
    out += ' ';
    out += text_of(event.field(FieldId::Action));
    out += ' ';
    out += text_of(event.field(FieldId::Protocol));
    out += ' ';
    out += text_of(event.field(FieldId::SrcIp));
    out += ':';
    out += port(FieldId::SrcPort);
    out += "->";
    out += text_of(event.field(FieldId::DstIp));
    out += ':';
    out += port(FieldId::DstPort);
    out += '\n';
    return out;
}

std::string event_as_json(const event::Event& event, const Alert* alert) {
    static constexpr std::array kFields{FieldId::SrcIp,      FieldId::DstIp,    FieldId::SrcPort,
                                        FieldId::DstPort,    FieldId::Protocol, FieldId::Action,
                                        FieldId::SrcUser,    FieldId::DstUser,  FieldId::Id,
                                        FieldId::Status,     FieldId::Url,      FieldId::ExtraData,
                                        FieldId::SystemName, FieldId::Filename};
    JsonWriter json;
    json.member_unless_empty("program_name", text_of(event.program_name));
    json.member_unless_empty("log", event.log);
    append_fields(json, event, kFields);
    if (alert != nullptr) {
        json.raw_member("rule", rule_as_json(alert->rule));
    }
    for (const event::DynamicField& field : event.dynamic_fields()) {
        json.member_unless_empty(field.name, field.value);
    }
    append_decoder(json, "decoder", event.decoder_parent, event.decoder_name, event.fts.has_value(),
                   event.accumulates);
    json.member_unless_empty("full_log", event.full_log);
    const Origin origin = origin_of(text_of(event.hostname), event.location);
    json.member("timestamp", local_time_text(event.received));
    json.member_unless_empty("agent_name", origin.agent_name);
    json.member_unless_empty("agentip", origin.agent_address);
    json.member_unless_empty("logfile", origin.logfile);
    return json.finish() + "\n";
}

}  // namespace portcullis::alert
