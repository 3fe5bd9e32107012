#include "engine/decode/decoder_set.hpp"

#include <algorithm>
#include <array>

#include "engine/decode/decoder_set_data.hpp"
#include "engine/decode/plugin_decoders.hpp"

namespace portcullis::decode {
namespace {

using event::Event;
using pattern::MatchScratch;
using pattern::Pattern;
using Step = DecodeObserver::Step;

// Decoders of events that do not come from log lines, but that rules may name in <decoded_as>.
constexpr std::array<std::string_view, 8> kBuiltinNames{
    "rootcheck",
    "syscheck_integrity_changed",
    "syscheck_integrity_changed_2nd",
    "syscheck_integrity_changed_3rd",
    "syscheck_new_entry",
    "syscheck_deleted",
    "hostinfo_new",
    "hostinfo_modified",
};

// Programs whose lines can also be taken by the decoders without a program name. iplog writes "TCP:
// text" to its own file, and pre-decoding reads TCP as the name of a program. OSSEC-COMPAT: OSSEC
// has no fallback, so the published decoders for iplog match nothing there (decoder_set_test:
// "falls back").
constexpr std::array<std::string_view, 6> kIplogProtocols{"TCP",      "UDP",  "ICMP",
                                                          "ICMP/UDP", "SCTP", "IP"};
constexpr std::string_view kIplogProgram = "iplog";

bool may_fall_back(const Event& event) {
    const std::string_view program = event.program_name.value_or(std::string_view());
    return program == kIplogProgram ||
           (!event.has_header_hostname && std::find(kIplogProtocols.begin(), kIplogProtocols.end(),
                                                    program) != kIplogProtocols.end());
}

// One decision. Positions are offsets into event.log.
class Decision {
  public:
    Decision(Event& event, MatchScratch& scratch, DecodeObserver* observer)
        : event_(event), scratch_(scratch), observer_(observer) {}

    // Decodes with the first decoder of the list that takes the event; false = none does.
    bool run(const std::vector<Decoder>& decoders) {
        const auto chosen = std::find_if(decoders.begin(), decoders.end(),
                                         [this](const Decoder& decoder) { return takes(decoder); });
        if (chosen == decoders.end()) {
            return false;
        }
        adopt(*chosen);
        if (chosen->children.empty()) {
            child_end_ = parent_end_;
            run_fields(&*chosen, &*chosen + 1);
        } else {
            run_children(chosen->children);
        }
        return true;
    }

  private:
    bool takes(const Decoder& decoder) {
        parent_end_ = 0;
        if (event_.program_name && decoder.program_name &&
            !match(decoder, Step::ProgramName, *decoder.program_name, *event_.program_name)) {
            return false;
        }
        if (decoder.prematch) {
            const auto end = match(decoder, Step::Prematch, *decoder.prematch, event_.log);
            if (!end) {
                return false;
            }
            parent_end_ = *end;
        }
        return true;
    }

    void run_children(const std::vector<Decoder>& children) {
        const Decoder* const end = children.data() + children.size();
        for (const Decoder* child = children.data(); child != end;) {
            if (!child->prematch) {
                // It ends the search even if its regex fails: later siblings are unreachable.
                child_end_ = parent_end_;
                run_fields(child, end);
                return;
            }
            const std::size_t from =
                child->prematch_offset == OffsetBase::AfterParent ? parent_end_ : 0;
            const auto match_end =
                match(*child, Step::Prematch, *child->prematch, event_.log.substr(from));
            if (match_end) {
                child_end_ = from + *match_end;
                adopt(*child);
                run_fields(child, end);
                return;
            }
            while (child->has_next_in_chain && child + 1 != end) {
                ++child;
            }
            ++child;
        }
    }

    // The plugin of `decoder`, or its regex and those of its chain.
    void run_fields(const Decoder* decoder, const Decoder* end) {
        if (decoder->plugin != nullptr) {
            decoder->plugin->decode(event_, scratch_);
            return;
        }
        pattern::Captures captures;
        regex_end_.reset();
        for (; decoder != end && decoder->regex; ++decoder) {
            const std::size_t from = subject_start(*decoder);
            const auto match_end =
                match(*decoder, Step::Regex, *decoder->regex, event_.log.substr(from), &captures);
            regex_end_.reset();
            if (match_end) {
                regex_end_ = from + *match_end;
                adopt(*decoder);
                assign(decoder->order, captures);
            }
            if (!decoder->has_next_in_chain) {
                return;
            }
        }
    }

    std::size_t subject_start(const Decoder& decoder) const {
        switch (decoder.regex_offset) {
            case OffsetBase::Log:
                return 0;
            case OffsetBase::AfterParent:
                return parent_end_;
            case OffsetBase::AfterPrematch:
                return child_end_;
            case OffsetBase::AfterRegex:
                return regex_end_.value_or(child_end_);
        }
        return 0;
    }

    void adopt(const Decoder& decoder) {
        if (observer_ != nullptr) {
            observer_->adopted(decoder);
        }
        event_.decoder_name = decoder.reported_name;
        event_.decoder_parent = decoder.parent.empty() ? decoder.name : decoder.parent;
        event_.decoder_id = decoder.id;
        event_.type = decoder.type;
        event_.fts = decoder.fts;
        event_.accumulates = decoder.accumulates;
    }

    void assign(const std::vector<OrderEntry>& order, const pattern::Captures& captures) {
        const std::size_t count = std::min(order.size(), captures.size());
        for (std::size_t i = 0; i < count; ++i) {
            if (order[i].field) {
                event_.set_field(*order[i].field, captures[i]);
            } else {
                event_.set_dynamic(order[i].name, captures[i]);
            }
        }
    }

    std::optional<std::size_t> match(const Decoder& decoder, Step step, const Pattern& pattern,
                                     std::string_view subject,
                                     pattern::Captures* captures = nullptr) {
        const auto end = pattern.match(subject, scratch_, captures);
        if (observer_ != nullptr) {
            observer_->tried(decoder, step, pattern, subject, end.has_value());
        }
        return end;
    }

    Event& event_;
    MatchScratch& scratch_;
    DecodeObserver* observer_;
    std::size_t parent_end_ = 0;  // of the top-level decoder's prematch
    std::size_t child_end_ = 0;   // of the chosen element's own prematch
    std::optional<std::size_t> regex_end_;
};

}  // namespace

void DecoderSet::Data::add_builtin_names() {
    for (const auto name : kBuiltinNames) {
        id_of(name);
    }
}

DecoderSet::DecoderSet() {
    auto data = std::make_shared<Data>();
    data->add_builtin_names();
    data_ = std::move(data);
}

std::optional<int> DecoderSet::find_decoder_id(std::string_view name) const {
    const auto found = data_->ids.find(name);
    return found == data_->ids.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string_view> DecoderSet::decoder_names() const {
    std::vector<std::string_view> names;
    for (const auto& [name, id] : data_->ids) {
        names.emplace_back(name);
    }
    return names;
}

void DecoderSet::decode(Event& event, MatchScratch& scratch, DecodeObserver* observer) const {
    Decision decision(event, scratch, observer);
    if (!event.program_name) {
        decision.run(data_->other_decoders);
        return;
    }
    if (!decision.run(data_->program_decoders) && may_fall_back(event)) {
        if (observer != nullptr) {
            observer->fell_back();
        }
        decision.run(data_->other_decoders);
    }
}

const std::vector<Decoder>& DecoderSet::program_decoders() const { return data_->program_decoders; }

const std::vector<Decoder>& DecoderSet::other_decoders() const { return data_->other_decoders; }

}  // namespace portcullis::decode
