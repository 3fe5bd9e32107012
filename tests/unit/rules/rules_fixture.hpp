// Rules from text and events by hand, for tests of the rules stage alone.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/event/event.hpp"
#include "engine/rules/correlator.hpp"
#include "engine/rules/rule_loader.hpp"
#include "engine/rules/rule_set.hpp"
#include "engine/rules/state_store.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::rules {

inline constexpr std::string_view kDecoder = "gate";  // the one decoder that exists, id 7
inline constexpr int kDecoderId = 7;

inline RuleSet load(const std::vector<std::string>& files, base::Diagnostics& diagnostics,
                    RuleOptions options = {}) {
    std::vector<xml::Document> documents;
    int number = 0;
    for (const std::string& text : files) {
        auto document = xml::Document::parse("rules" + std::to_string(++number) + ".xml", text,
                                             xml::Variables::Substitute, diagnostics);
        if (document) {
            documents.push_back(std::move(*document));
        }
    }
    options.find_decoder_id = [](std::string_view name) {
        return name == kDecoder ? std::optional(kDecoderId) : std::nullopt;
    };
    options.decoder_names = {std::string(kDecoder)};
    return load_rules(documents, options, diagnostics);
}

// `body`: the rules of one group "test,".
inline RuleSet load_group(const std::string& body, RuleOptions options = {}) {
    base::Diagnostics diagnostics;
    RuleSet rules =
        load({"<group name=\"test,\">" + body + "</group>"}, diagnostics, std::move(options));
    INFO(base::render(diagnostics));
    REQUIRE_FALSE(diagnostics.has_errors());
    return rules;
}

// An event as a test gives it; the texts must outlive it.
struct Line {
    std::string_view log = "denied";
    std::map<event::FieldId, std::string_view> fields = {};
    int second = 0;  // of reception
    std::string_view hostname = "host";
    std::optional<std::string_view> program_name = std::nullopt;
    event::EventType type = event::EventType::Syslog;
    int decoder_id = kDecoderId;
};

// Evaluates lines as the pipeline does.
class Engine {
  public:
    explicit Engine(RuleSet rules) : rules_(std::make_unique<RuleSet>(std::move(rules))) {
        correlator_.use(*rules_);
    }

    void replace(RuleSet rules) {
        auto next = std::make_unique<RuleSet>(std::move(rules));
        correlator_.use(*next);
        rules_ = std::move(next);
    }

    // Id of the result; 0 = none.
    int process(const Line& line) {
        prepare(line);
        const Rule* rule = rules_->evaluate(event_, scratch_, correlator_, &trace_);
        if (rule == nullptr) {
            return 0;
        }
        previous_lines_.assign(correlator_.previous_lines().begin(),
                               correlator_.previous_lines().end());
        if (rule->level > 0) {
            correlator_.remember(*rule, event_);
        }
        return rule->id;
    }

    event::Event& prepare(const Line& line) {
        trace_.steps.clear();
        event_.reset(line.log, "test", base::Timestamp(std::chrono::seconds(1'000 + line.second)));
        event_.hostname = line.hostname;
        event_.program_name = line.program_name;
        event_.type = line.type;
        event_.decoder_id = line.decoder_id;
        event_.decoder_name = line.decoder_id == kDecoderId ? kDecoder : std::string_view();
        for (const auto& [id, value] : line.fields) {
            event_.set_field(id, value);
        }
        correlator_.begin_event();
        return event_;
    }

    const RuleSet& rules() const { return *rules_; }
    Correlator& correlator() { return correlator_; }
    event::Event& event() { return event_; }
    pattern::MatchScratch& scratch() { return scratch_; }
    // Earlier lines of the last result, newest first.
    const std::vector<std::string>& previous_lines() const { return previous_lines_; }
    // The first demand of rule `id` that the last line did not meet.
    Mismatch mismatch(int id) const {
        for (const Trace::Step& step : trace_.steps) {
            if (step.what == Trace::What::Tried && step.rule->id == id) {
                return step.mismatch;
            }
        }
        return {};
    }
    // Ids of the rules tried for the last line, in order.
    std::vector<int> tried() const {
        std::vector<int> ids;
        for (const Trace::Step& step : trace_.steps) {
            if (step.what == Trace::What::Tried) {
                ids.push_back(step.rule->id);
            }
        }
        return ids;
    }

  private:
    MemoryStateStore store_;
    Correlator correlator_{{.events = Correlator::kMinMemory}, store_};
    std::unique_ptr<RuleSet> rules_;
    pattern::MatchScratch scratch_;
    event::Event event_;
    Trace trace_;
    std::vector<std::string> previous_lines_;
};

}  // namespace portcullis::rules
