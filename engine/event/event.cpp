#include "engine/event/event.hpp"

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"

namespace portcullis::event {
namespace {

constexpr std::array<std::pair<EventType, std::string_view>, 8> kTypeNames{{
    {EventType::Syslog, "syslog"},
    {EventType::Firewall, "firewall"},
    {EventType::Ids, "ids"},
    {EventType::WebLog, "web-log"},
    {EventType::Squid, "squid"},
    {EventType::Windows, "windows"},
    {EventType::HostInformation, "host-information"},
    {EventType::Ossec, "ossec"},
}};

using base::is_control;

}  // namespace

std::string_view name_of(EventType type) {
    return kTypeNames[static_cast<std::size_t>(type)].second;
}

std::optional<EventType> find_event_type(std::string_view name) {
    const auto* found = std::find_if(kTypeNames.begin(), kTypeNames.end(),
                                     [&](const auto& row) { return row.second == name; });
    return found == kTypeNames.end() ? std::nullopt : std::optional(found->first);
}

void Event::reset(std::string_view line, std::string_view source, base::Timestamp now) {
    full_log.clear();
    if (std::none_of(line.begin(), line.end(), is_control)) {
        full_log.assign(line);
    } else {
        std::remove_copy_if(line.begin(), line.end(), std::back_inserter(full_log), is_control);
    }
    log = full_log;
    location = source;
    received = now;
    hostname.reset();
    program_name.reset();
    has_header_hostname = false;
    type = EventType::Syslog;
    decoder_name = {};
    decoder_parent = {};
    decoder_id = 0;
    fts.reset();
    accumulates = false;
    forwarded_rule.reset();
    fields_.fill(std::nullopt);
    dynamic_.clear();
    decoded_.clear();
    kept_.clear();
}

void Event::set_field(FieldId id, std::string_view value) {
    fields_[static_cast<std::size_t>(id)] = value;
    decoded_.push_back({spec_of(id).label, value});
}

void Event::set_dynamic(std::string_view name, std::string_view value) {
    const auto found = std::find_if(dynamic_.begin(), dynamic_.end(),
                                    [&](const DynamicField& field) { return field.name == name; });
    if (found != dynamic_.end()) {
        found->value = value;
    } else {
        dynamic_.push_back({name, value});
    }
    decoded_.push_back({name, value});
}

std::string_view Event::keep(std::string text) { return kept_.emplace_back(std::move(text)); }

}  // namespace portcullis::event
