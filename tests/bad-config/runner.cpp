// Runs one folder of tests/bad-config: loads its input, compares the diagnostics with expected.txt.
//
//   bad_config_runner FOLDER
//
// The loader is told by the file in the folder (kLoaders); the diagnostics name files as they are
// called there. With UPDATE_GOLDEN=1 expected.txt is written instead.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/config/engine_config.hpp"
#include "engine/config/input_files.hpp"
#include "engine/decode/decoder_lint.hpp"
#include "engine/decode/decoder_loader.hpp"
#include "engine/rules/rule_lint.hpp"
#include "engine/rules/rule_loader.hpp"
#include "engine/xml/document.hpp"
#include "programs/home.hpp"
#include "programs/lint.hpp"

namespace {

using portcullis::base::Diagnostics;
namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void load_document(const fs::path& folder, Diagnostics& diagnostics) {
    portcullis::xml::Document::load(folder / "input.xml", "input.xml",
                                    portcullis::xml::Variables::Substitute, diagnostics);
}

// With a folder `home` beside it also what ossec.conf names is looked for there.
void load_ossec_conf(const fs::path& folder, Diagnostics& diagnostics) {
    const auto config = portcullis::config::parse_engine_config(
        "ossec.conf", read_file(folder / "ossec.conf"), diagnostics);
    const std::string home = folder / "home";
    if (fs::exists(home)) {
        portcullis::config::resolve_input_files(config, home, diagnostics);
        portcullis::config::check_executables(config, home + "/active-response/bin", diagnostics);
        portcullis::config::check_white_lists(config, home, diagnostics);
    }
}

std::vector<portcullis::xml::Document> parse(const fs::path& file, Diagnostics& diagnostics) {
    auto document = portcullis::xml::Document::load(
        file, file.filename(), portcullis::xml::Variables::Substitute, diagnostics);
    std::vector<portcullis::xml::Document> documents;
    if (document) {
        documents.push_back(std::move(*document));
    }
    return documents;
}

// What loads without an error is looked at closely, as --lint does.
void load_decoders(const fs::path& folder, Diagnostics& diagnostics) {
    const auto documents = parse(folder / "decoders.xml", diagnostics);
    if (portcullis::decode::load_decoders(documents, diagnostics) && !diagnostics.has_errors()) {
        portcullis::decode::lint_decoders(documents, {}, diagnostics);
    }
}

// A decoders.xml beside it gives the names for decoded_as.
void load_rules(const fs::path& folder, Diagnostics& diagnostics) {
    std::optional<portcullis::decode::DecoderSet> decoders;
    if (fs::exists(folder / "decoders.xml")) {
        decoders = portcullis::decode::load_decoders(parse(folder / "decoders.xml", diagnostics),
                                                     diagnostics);
    }
    portcullis::rules::RuleOptions options;
    if (decoders) {
        for (const std::string_view name : decoders->decoder_names()) {
            options.decoder_names.emplace_back(name);
        }
    }
    options.find_decoder_id = [&](std::string_view name) {
        return decoders ? decoders->find_decoder_id(name) : std::nullopt;
    };
    const auto documents = parse(folder / "rules.xml", diagnostics);
    const auto rules = portcullis::rules::load_rules(documents, options, diagnostics);
    if (!diagnostics.has_errors()) {
        portcullis::rules::lint_rules(documents, rules,
                                      portcullis::programs::rule_lint_options(
                                          decoders.value_or(portcullis::decode::DecoderSet())),
                                      diagnostics);
    }
}

// The folder is a home: everything that its ossec.conf names, as --lint sees it.
void lint_home(const fs::path& folder, Diagnostics& diagnostics) {
    const portcullis::programs::Home home(folder.string());
    portcullis::programs::lint_configuration(home, home.config(), diagnostics);
}

void load_internal_options(const fs::path& folder, Diagnostics& diagnostics) {
    portcullis::config::load_internal_options({folder / "internal_options.conf"}, diagnostics);
}

struct Loader {
    const char* file;
    void (*load)(const fs::path& folder, Diagnostics& diagnostics);
};

// The first file that a folder has decides.
constexpr Loader kLoaders[] = {
    {"etc/ossec.conf", lint_home},
    {"ossec.conf", load_ossec_conf},
    {"internal_options.conf", load_internal_options},
    {"rules.xml", load_rules},
    {"decoders.xml", load_decoders},
    {"input.xml", load_document},
};

std::string without_folder(std::string text, const std::string& folder) {
    for (std::size_t at = text.find(folder); at != std::string::npos; at = text.find(folder, at)) {
        text.erase(at, folder.size());
    }
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    const fs::path folder = argc == 2 ? argv[1] : "";
    Diagnostics diagnostics;
    const Loader* used = nullptr;
    for (const auto& loader : kLoaders) {
        if (used == nullptr && fs::exists(folder / loader.file)) {
            used = &loader;
            loader.load(folder, diagnostics);
        }
    }
    if (used == nullptr) {
        std::fprintf(stderr, "nothing to load in %s\n", folder.c_str());
        return 2;
    }
    const std::string got = without_folder(render(diagnostics), folder.string() + "/");
    const fs::path expected_file = folder / "expected.txt";
    if (std::getenv("UPDATE_GOLDEN") != nullptr) {
        std::ofstream(expected_file, std::ios::binary) << got;
        return 0;
    }
    const std::string expected = read_file(expected_file);
    if (got == expected && !got.empty()) {
        return 0;
    }
    std::fprintf(stderr, "%s\n--- expected\n%s--- got\n%s", folder.c_str(), expected.c_str(),
                 got.c_str());
    return 1;
}
