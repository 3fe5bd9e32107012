#include "engine/config/input_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace portcullis;
namespace fs = std::filesystem;

namespace {

// A home in a new temporary folder, removed with everything in it.
class TemporaryHome {
  public:
    TemporaryHome() {
        std::string pattern = fs::temp_directory_path() / "input-files-XXXXXX";
        path_ = mkdtemp(pattern.data());
    }
    ~TemporaryHome() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    TemporaryHome(const TemporaryHome&) = delete;
    TemporaryHome& operator=(const TemporaryHome&) = delete;

    std::string path() const { return path_; }
    fs::path add(const std::string& name) const {
        const fs::path file = path_ / name;
        fs::create_directories(file.parent_path());
        std::ofstream(file) << "text\n";
        return file;
    }

  private:
    fs::path path_;
};

std::string paths(const std::vector<config::FileReference>& files) {
    std::string out;
    for (const auto& file : files) {
        out += (out.empty() ? "" : " ") + file.path;
    }
    return out;
}

config::EngineConfig parse(const std::string& rules) {
    base::Diagnostics diagnostics;
    auto config = config::parse_engine_config(
        "ossec.conf", "<ossec_config><rules>" + rules + "</rules></ossec_config>", diagnostics);
    CHECK(base::render(diagnostics) == "");
    return config;
}

}  // namespace

TEST_CASE("input_files: which decoder files are the default depends on the home") {
    struct Row {
        const char* what;
        std::vector<std::string> files;
        const char* decoders;
        int errors;
    };
    const Row rows[] = {
        {"stock", {"etc/decoder.xml", "decoders/iplog_decoders.xml"}, "etc/decoder.xml", 0},
        {"stock and local",
         {"etc/decoder.xml", "etc/local_decoder.xml"},
         "etc/decoder.xml etc/local_decoder.xml",
         0},
        {"shipped", {"decoders/iplog_decoders.xml"}, "decoders/iplog_decoders.xml", 0},
        {"shipped and local",
         {"decoders/iplog_decoders.xml", "etc/local_decoder.xml"},
         "decoders/iplog_decoders.xml etc/local_decoder.xml",
         0},
        {"none", {}, "", 1},
    };
    for (const auto& row : rows) {
        DYNAMIC_SECTION(row.what) {
            const TemporaryHome home;
            home.add("rules/a.xml");
            for (const auto& file : row.files) {
                home.add(file);
            }
            base::Diagnostics diagnostics;
            const auto files = config::resolve_input_files(parse("<include>a.xml</include>"),
                                                           home.path(), diagnostics);
            CHECK(paths(files.decoder_files) == row.decoders);
            CHECK(diagnostics.error_count() == row.errors);
        }
    }
}

TEST_CASE("input_files: named decoders replace the default ones") {
    const TemporaryHome home;
    home.add("etc/decoder.xml");
    home.add("etc/local_decoder.xml");
    home.add("etc/own.xml");
    base::Diagnostics diagnostics;
    const auto files = config::resolve_input_files(parse("<decoder>etc/own.xml</decoder>"),
                                                   home.path(), diagnostics);
    CHECK(paths(files.decoder_files) == "etc/own.xml");
}

TEST_CASE("input_files: a directory gives the matching files in byte order, none of them twice") {
    const TemporaryHome home;
    for (const char* name : {"rules/b.xml", "rules/a.xml", "rules/B.xml", "rules/z_rules.xml",
                             "rules/a.xml.bak", "rules/axml", "rules/sub/c.xml", "rules/d.xml/e"}) {
        home.add(name);
    }
    base::Diagnostics diagnostics;
    auto files = config::resolve_input_files(
        parse("<decoder>rules/a.xml</decoder><include>z_rules.xml</include>"
              "<rule_dir>rules</rule_dir><rule_dir>rules</rule_dir>"),
        home.path(), diagnostics);
    CHECK(base::render(diagnostics) == "");
    CHECK(paths(files.rule_files) == "rules/z_rules.xml rules/B.xml rules/a.xml rules/b.xml");
    files = config::resolve_input_files(
        parse("<decoder>rules/a.xml</decoder><rule_dir pattern=\"_rules.xml$\">rules</rule_dir>"),
        home.path(), diagnostics);
    CHECK(paths(files.rule_files) == "rules/z_rules.xml");
}

TEST_CASE("input_files: a missing directory is a warning, a missing file an error at its place") {
    const TemporaryHome home;
    home.add("etc/d.xml");
    base::Diagnostics diagnostics;
    const auto files = config::resolve_input_files(
        parse("<decoder>etc/d.xml</decoder><rule_dir>none</rule_dir><include>a.xml</include>"),
        home.path(), diagnostics);
    REQUIRE(diagnostics.all().size() == 2);
    CHECK(diagnostics.all()[0].code == "missing-directory");
    CHECK(diagnostics.all()[0].severity == base::Severity::Warning);
    CHECK(diagnostics.all()[1].code == "unreadable-file");
    CHECK(diagnostics.all()[1].place.column > 0);
    CHECK(files.rule_files.empty());
}

TEST_CASE("input_files: the executable of a command must be a file that may be executed") {
    const TemporaryHome home;
    chmod(home.add("bin/good").c_str(), 0755);
    chmod(home.add("bin/plain").c_str(), 0644);
    home.add("bin/folder/file");
    config::EngineConfig config;
    for (const char* name : {"good", "plain", "folder", "none"}) {
        config::FileReference executable;
        executable.path = name;
        config.executables.push_back(executable);
    }
    base::Diagnostics diagnostics;
    config::check_executables(config, home.path() + "/bin", diagnostics);
    REQUIRE(diagnostics.error_count() == 3);
    const char* const named[] = {"plain", "folder", "none"};
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(diagnostics.all()[i].code == "missing-executable");
        CHECK(diagnostics.all()[i].message.find(named[i]) != std::string::npos);
    }
}
