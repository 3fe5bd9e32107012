// Any text as a rule file: it loads, or is rejected with diagnostics. Rules that load are
// evaluated.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/diagnostic.hpp"
#include "engine/event/event.hpp"
#include "engine/rules/correlator.hpp"
#include "engine/rules/rule_loader.hpp"
#include "engine/rules/state_store.hpp"
#include "engine/xml/document.hpp"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    base::Diagnostics diagnostics;
    auto document =
        xml::Document::parse("rules.xml", text, xml::Variables::Substitute, diagnostics);
    if (!document) {
        return 0;
    }
    rules::RuleOptions options;
    options.find_decoder_id = [](std::string_view) { return std::optional(1); };
    const rules::RuleSet rules = rules::load_rules({*document}, options, diagnostics);
    base::render(diagnostics);
    rules::MemoryStateStore store;
    rules::Correlator correlator({}, store);
    correlator.use(rules);
    pattern::MatchScratch scratch;
    event::Event event;
    for (int i = 0; i < 3; ++i) {
        event.reset("denied bob from 192.0.2.1", "fuzz", base::Timestamp());
        event.set_field(event::FieldId::SrcIp, "192.0.2.1");
        correlator.begin_event();
        if (const rules::Rule* rule = rules.evaluate(event, scratch, correlator, nullptr)) {
            correlator.remember(*rule, event);
        }
    }
    return 0;
}
