#include "engine/pipeline/compose_alert.hpp"

#include <string>

#include "engine/alert/evidence_grade.hpp"

namespace portcullis::pipeline {

alert::Alert compose_alert(const event::Event& event, const rules::Rule& rule,
                           std::uint32_t fired_times, const rules::Correlator& correlator) {
    alert::Alert alert;
    alert.time = event.received;
    alert.rule.id = rule.id;
    alert.rule.level = rule.level;
    alert.rule.frequency = rule.frequency;
    alert.rule.fired_times = fired_times;
    alert.rule.description = rule.description;
    alert.rule.group = rule.group;
    alert.rule.cve = rule.cve;
    for (const rules::Information& information : rule.information) {
        alert.rule.info.push_back(information.text);
    }
    alert.mail = rule.mails;
    alert.log = rule.logs;
    alert.hostname = event.hostname.value_or(std::string_view());
    alert.program_name = event.program_name.value_or(std::string_view());
    alert.location = event.location;
    alert.full_log = event.forwarded_rule ? std::string(event.log) : event.full_log;
    alert.decoder_name = event.decoder_name;
    alert.decoder_parent = event.decoder_parent;
    alert.decoder_has_fts = event.fts.has_value();
    alert.decoder_accumulates = event.accumulates;
    for (const event::FieldSpec& field : event::kFields) {
        if (const auto& value = event.field(field.id)) {
            alert.fields[static_cast<std::size_t>(field.id)] = std::string(*value);
        }
    }
    for (const event::DynamicField& field : event.dynamic_fields()) {
        alert.dynamic_fields.emplace_back(field.name, field.value);
    }
    for (const std::string_view line : correlator.previous_lines()) {
        alert.previous_lines.emplace_back(line);
    }
    alert.previous_output = correlator.previous_output();
    // Of a rule that counts others: the grade of the event that fired it.
    alert.evidence = alert::grade_of({rule.group, event.decoder_name, event.decoder_parent,
                                      event.field(event::FieldId::Status)});
    return alert;
}

}  // namespace portcullis::pipeline
