#include "sensor/config/command_line.hpp"

using namespace portcullis::sensor_config;

namespace {

struct Parsed {
    CommandLine command_line;
    SensorSettings settings;
    std::vector<std::string> notes;
    std::string error;
};

Parsed parse(const std::vector<std::string>& options) {
    std::vector<std::string> words;
    words.reserve(options.size() + 1);
    words.emplace_back("portcullis-sensor");
    for (const std::string& option : options) {
        words.push_back(option);
    }
    std::vector<char*> pointers;
    for (std::string& word : words) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    Parsed parsed;
    auto command_line = parse_command_line(std::span(pointers).first(words.size()));
    if (!command_line) {
        parsed.error = command_line.error().message;
        return parsed;
    }
    parsed.command_line = *command_line;
    auto applied = apply_command_line(*command_line, parsed.settings, parsed.notes);
    if (!applied) {
        parsed.error = applied.error().message;
    }
    return parsed;
}

}  // namespace

TEST_CASE("command_line: a switch is set by its letter, by its name, or to a value") {
    struct Row {
        std::vector<std::string> words;
        Switch which;
        bool is_on;
    };
    const Row rows[] = {
        {{"-D"}, Switch::LogDest, true},
        {{"--log-dest"}, Switch::LogDest, true},
        {{"--log-dest=yes"}, Switch::LogDest, true},
        {{"--tcp=no"}, Switch::Tcp, false},
        {{"--tcp=toggle"}, Switch::Tcp, false},
        {{"--tcp=toggle", "--tcp=toggle"}, Switch::Tcp, true},
        {{"--detect-syn-scan=false"}, Switch::SynScan, false},
        {{"--log-syn-scan=false"}, Switch::SynScan, false},
        {{"--detect-syn-scan=false", "-q"}, Switch::SynScan, true},
        {{"-mdo"}, Switch::IgnoreDns, true},
        {{"-mdo"}, Switch::NoFork, true},
        {{}, Switch::NoFork, false},
    };
    for (const Row& row : rows) {
        const Parsed parsed = parse(row.words);
        CHECK(parsed.error.empty());
        CHECK(parsed.settings[row.which] == row.is_on);
    }
}

TEST_CASE("command_line: what is given goes where it belongs") {
    const Parsed parsed = parse({"-i",
                                 "eth0,eth1",
                                 "-i",
                                 "eth2",
                                 "-a",
                                 "10.0/16",
                                 "-u",
                                 "nobody",
                                 "-g",
                                 "nogroup",
                                 "-l",
                                 "/x",
                                 "-r",
                                 "f.pcap",
                                 "--local",
                                 "10.0.0.1,fd00::1",
                                 "--pid-file=/p",
                                 "--facility",
                                 "local1",
                                 "--config",
                                 "/c",
                                 "--hosts=/h"});
    CHECK(parsed.error.empty());
    CHECK(parsed.settings.interfaces == std::vector<std::string>{"eth0", "eth1", "eth2"});
    CHECK(parsed.settings.promisc.size() == 1);
    CHECK(parsed.settings[Switch::LogDest]);
    CHECK(parsed.settings.user == "nobody");
    CHECK(parsed.settings.group == "nogroup");
    CHECK(parsed.settings.log_file == "/x");
    CHECK(parsed.settings.pid_file == "/p");
    CHECK(parsed.command_line.capture_file == "f.pcap");
    CHECK(parsed.command_line.local_addresses.size() == 2);
    CHECK(parsed.command_line.config_file == "/c");
    CHECK(parsed.command_line.hosts_file == "/h");
}

TEST_CASE("command_line: of a file and standard output the last wins, with a warning") {
    const Parsed to_stdout = parse({"-l", "/x", "-L"});
    CHECK(to_stdout.settings[Switch::Stdout]);
    CHECK(to_stdout.settings.log_file.empty());
    CHECK(to_stdout.notes.size() == 1);
    const Parsed to_file = parse({"-L", "-l", "/x"});
    CHECK_FALSE(to_file.settings[Switch::Stdout]);
    CHECK(to_file.settings.log_file == "/x");
    CHECK(to_file.notes.size() == 1);
}

TEST_CASE("command_line: an unknown facility or priority is reported and the default used") {
    const Parsed parsed = parse({"--facility", "x", "--priority=y"});
    CHECK(parsed.error.empty());
    CHECK(parsed.notes ==
          std::vector<std::string>{"Invalid facility: \"x\" - falling back to default.",
                                   "Invalid priority: \"y\" - falling back to default."});
    CHECK(parse({"--check"}).command_line.wants_check);
}

TEST_CASE("command_line: what is wrong is named") {
    struct Row {
        std::vector<std::string> words;
        const char* part;
    };
    const Row rows[] = {
        {{"--frobnicate"}, "--frobnicate"}, {{"-l"}, "argument is missing"},
        {{"--tcp=maybe"}, "maybe"},         {{"--local", "10.0.0"}, "10.0.0"},
        {{"-a", "nowhere"}, "nowhere"},     {{"stray"}, "stray"},
    };
    for (const Row& row : rows) {
        CHECK_THAT(parse(row.words).error, Catch::Contains(row.part));
    }
}

TEST_CASE("command_line: what sends packets is not abbreviated, everything else may be") {
    for (const char* word : {"--foo", "--fool", "--foo=true", "--fool-nma"}) {
        CHECK_THAT(parse({word}).error, Catch::Contains("not abbreviated"));
    }
    for (const char* word : {"--fool-nmap", "--fool-nmap=true", "-z"}) {
        CHECK(parse({word}).settings[Switch::FoolNmap]);
    }
    CHECK(parse({"--verb"}).settings[Switch::Verbose]);
}

TEST_CASE("command_line: the help names every option and stars what is on") {
    const std::string help = help_text(SensorSettings());
    for (const char* part : {"-i, --interface IF[,IF...]", "--detect-syn-scan", "--local",
                             "-k, --kill", "* log TCP"}) {
        CHECK_THAT(help, Catch::Contains(part));
    }
}
