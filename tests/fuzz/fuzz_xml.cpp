#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/xml/document.hpp"

using namespace portcullis;

// Every place that a document gives lies in its text, and a document comes without errors only.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto variables : {xml::Variables::Substitute, xml::Variables::Ignore}) {
        base::Diagnostics diagnostics;
        const auto document = xml::Document::parse("a.xml", text, variables, diagnostics);
        if (document.has_value() == diagnostics.has_errors()) {
            std::abort();
        }
        std::vector<xml::Node> nodes = document ? document->roots() : std::vector<xml::Node>();
        while (!nodes.empty()) {
            const xml::Node node = nodes.back();
            nodes.pop_back();
            nodes.insert(nodes.end(), node.children().begin(), node.children().end());
            diagnostics.add(node.error("a", "b"));
            diagnostics.add(node.error_in_text("a", "b", size % 7, size % 3));
            for (const auto& attribute : node.attributes()) {
                diagnostics.add(node.error_in_attribute(attribute, "a", "b"));
            }
        }
        for (const auto& each : diagnostics.all()) {
            if (each.caret_length < 1 || each.place.column > static_cast<int>(size) + 1) {
                std::abort();
            }
        }
        base::render(diagnostics);
    }
    return 0;
}
