#include <fstream>
#include <set>

#include "engine/xml/document.hpp"

using namespace portcullis;

namespace {

struct Block {
    std::string language;
    std::string text;
    int line = 0;  // of the opening fence
};

std::vector<Block> code_blocks(const std::string& path) {
    std::ifstream in(path);
    std::vector<Block> blocks;
    std::string line;
    bool is_inside = false;
    for (int number = 1; std::getline(in, line); ++number) {
        if (line.rfind("```", 0) != 0) {
            if (is_inside) {
                blocks.back().text += line + "\n";
            }
            continue;
        }
        is_inside = !is_inside;
        if (is_inside) {
            blocks.push_back({line.substr(3), "", number});
        }
    }
    return blocks;
}

// The listing that docs/ossec-xml-dialect.md describes.
void list(const std::vector<xml::Node>& nodes, const std::string& indent, std::string& out) {
    for (const auto& node : nodes) {
        out += indent + std::string(node.name());
        for (const auto& attribute : node.attributes()) {
            out += " " + attribute.name + "=\"" + attribute.value + "\"";
        }
        out += node.children().empty() ? " {" + std::string(node.text()) + "}\n" : "\n";
        list(node.children(), indent + "  ", out);
    }
}

std::string read(const std::string& text) {
    base::Diagnostics diagnostics;
    const auto document =
        xml::Document::parse("a.xml", text, xml::Variables::Substitute, diagnostics);
    std::string out;
    if (document) {
        list(document->roots(), "", out);
    }
    for (const auto& each : diagnostics.all()) {
        out += std::to_string(each.place.line) + ":" + std::to_string(each.place.column) + " " +
               each.code + "\n";
    }
    return out;
}

}  // namespace

TEST_CASE("dialect examples: docs/ossec-xml-dialect.md says what the reader does") {
    const auto blocks = code_blocks(PORTCULLIS_SOURCE_DIR "/docs/ossec-xml-dialect.md");
    std::size_t examples = 0;
    for (std::size_t i = 0; i + 1 < blocks.size(); ++i) {
        if (blocks[i].language == "xml") {
            INFO("the example in line " << blocks[i].line);
            CHECK(read(blocks[i].text) == blocks[i + 1].text);
            ++examples;
        }
    }
    CHECK(examples >= 9);
}
