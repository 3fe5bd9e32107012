// Event: one log line on its way from the source to the alert.
//
// The thread that processes it owns it, and uses it again for the next line: reset() keeps the
// memory, so that the steady state allocates nothing. All views point into `full_log` or into
// strings that outlive the event (decoder names, the location); they die with the next reset().
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "engine/event/fields.hpp"

namespace portcullis::event {

// The kind of log, which the matching decoder gives (<type>). It selects the root rules.
enum class EventType : std::uint8_t {
    Syslog,
    Firewall,
    Ids,
    WebLog,
    Squid,
    Windows,
    HostInformation,
    Ossec,
};

// "syslog", "firewall", "ids", "web-log", "squid", "windows", "host-information", "ossec".
std::string_view name_of(EventType type);
std::optional<EventType> find_event_type(std::string_view name);

struct DynamicField {
    std::string_view name;  // as written in <order>, case kept
    std::string_view value;
};

// One assignment, for logtest: a field that is decoded twice is printed twice.
struct DecodedField {
    std::string_view label;
    std::string_view value;
};

// The parts that a decoder's <fts> can select for the first-time-seen key, in their order in the
// key (spec: decoders, section 7).
enum class FtsPart : std::uint8_t {
    Id,
    DstUser,
    SrcUser,
    SrcIp,
    DstIp,
    ExtraData,
    SystemName,
    Location,
};
using FtsParts = std::bitset<8>;  // by FtsPart

class Event {
  public:
    Event() = default;
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() = default;

    // Empties everything; `full_log` gets a copy of `line` without control characters
    // (spec: predecoding, section 1.4: bytes 0x00-0x1f and 0x7f are deleted), `log` = full_log;
    // `location` = source, `received` = now.
    void reset(std::string_view line, std::string_view source, base::Timestamp now);

    std::string full_log;
    std::string_view log;  // without the header
    std::string_view location;
    base::Timestamp received;
    std::optional<std::string_view> hostname;  // set for every event once pre-decoding is done
    std::optional<std::string_view> program_name;
    bool has_header_hostname = false;  // the header of the line has the host

    EventType type = EventType::Syslog;
    std::string_view decoder_name;    // empty = no decoder matched
    std::string_view decoder_parent;  // name of the top-level decoder; empty = none
    int decoder_id = 0;               // equal for equal names; 0 = no decoder matched
    std::optional<FtsParts> fts;      // of the decoder that decided; nullopt = it has no <fts>
    bool accumulates = false;         // … and whether it has <accumulate> (section 9)
    // The line is an alert that another host has forwarded: the rule that it had there. `log` is
    // the line that caused it (section 8, OSSECAlert_Decoder).
    std::optional<int> forwarded_rule;

    const std::optional<std::string_view>& field(FieldId id) const {
        return fields_[static_cast<std::size_t>(id)];
    }
    void set_field(FieldId id, std::string_view value);
    // Sets a field that was not read from this line (accumulate); it is not in decoded().
    void fill_field(FieldId id, std::string_view value) {
        fields_[static_cast<std::size_t>(id)] = value;
    }
    // Values of dynamic fields in the order of decoding; of several with the same name the last one
    // counts.
    void set_dynamic(std::string_view name, std::string_view value);
    const std::vector<DynamicField>& dynamic_fields() const { return dynamic_; }
    // Every assignment in its order.
    const std::vector<DecodedField>& decoded() const { return decoded_; }
    // Keeps a string that is not part of the line (a rewritten field) until the next reset().
    std::string_view keep(std::string text);

  private:
    std::array<std::optional<std::string_view>, kFieldCount> fields_;
    std::vector<DynamicField> dynamic_;
    std::vector<DecodedField> decoded_;
    std::deque<std::string> kept_;
};

}  // namespace portcullis::event
