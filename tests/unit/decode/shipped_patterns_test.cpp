// The work of each pattern of the shipped decoders must grow linearly with the length of a line.
// A sender of packets decides how long some lines get, and a log line can have 6 KB.
//
// The lines are made from the golden lines of iplog: at each word a piece is repeated n, 2n and 4n
// times, and what follows is spoilt, replaced or cut off. Steps are counted, so no clock is
// involved.
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include "engine/decode/decoder_loader.hpp"
#include "engine/decode/predecode.hpp"
#include "engine/pattern/step_counter.hpp"
#include "engine/xml/document.hpp"

using namespace portcullis;

namespace {

// Far above what any linear pattern does with these lines.
constexpr std::uint32_t kLimit = 1'000'000;
constexpr std::size_t kRepeats = 24;
// Growth of the second doubling over that of the first: 2 if linear, 4 if quadratic.
constexpr std::uint64_t kMostGrowthInTenths = 27;
constexpr std::uint64_t kSlack = 100;
// Work at the longest line that no quadratic pattern stays below; most patterns do.
constexpr std::uint64_t kHarmlessPerByte = 8;

// prefix + piece * n + tail.
struct Attack {
    std::string prefix;
    std::string piece;
    std::string tail;

    std::string line(std::size_t repeats) const {
        std::string out = prefix;
        for (std::size_t i = 0; i < repeats; ++i) {
            out += piece;
        }
        return out + tail;
    }
};

bool grows_faster_than_linearly(pattern::StepCounter& counter, const Attack& attack) {
    const std::string longest = attack.line(4 * kRepeats);
    const std::uint64_t fourfold = counter.work_of(longest, kLimit);
    if (fourfold < kHarmlessPerByte * longest.size()) {
        return false;
    }
    const std::uint64_t once = counter.work_of(attack.line(kRepeats), kLimit);
    const std::uint64_t twice = counter.work_of(attack.line(2 * kRepeats), kLimit);
    const std::uint64_t first = twice - std::min(once, twice);
    return 10 * (fourfold - std::min(twice, fourfold)) > kMostGrowthInTenths * first + 10 * kSlack;
}

// A text with its numbers, lists, addresses and names replaced by a 0, and without an address
// behind a name.
std::string shape_of(std::string_view text) {
    std::string shape;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        const std::string_view word = text.substr(begin, end - begin);
        const bool is_value = word.find_first_of("0123456789.") != std::string_view::npos;
        const bool is_address_of_name = is_value && word.front() == '(' && word.back() == ')' &&
                                        shape.size() >= 2 && shape[shape.size() - 2] == '0';
        if (!is_address_of_name) {
            shape += is_value ? "0" : word;
            shape += ' ';
        }
        begin = end + 1;
    }
    return shape;
}

struct Text {
    std::string text;
    std::string decoder;
};

// The text of each golden line behind its header, with its decoder; of lines that have the same
// shape, one.
std::vector<Text> golden_texts(const decode::DecoderSet& decoders) {
    std::set<std::string> shapes;
    std::vector<Text> texts;
    pattern::MatchScratch scratch;
    event::Event event;
    for (const auto& file : std::filesystem::directory_iterator(
             std::filesystem::path(PORTCULLIS_SOURCE_DIR) / "tests/golden/iplog")) {
        std::ifstream input(file.path(), std::ios::binary);
        for (std::string line; std::getline(input, line);) {
            if (line.rfind("> ", 0) != 0) {
                continue;
            }
            event.reset(std::string_view(line).substr(2), "test", {});
            decode::predecode(event, "localhost");
            decoders.decode(event, scratch);
            if (shapes.insert(shape_of(event.log)).second) {
                texts.push_back({std::string(event.log), std::string(event.decoder_name)});
            }
        }
    }
    return texts;
}

std::vector<Attack> attacks_on(const std::string& text) {
    static constexpr std::array<std::string_view, 11> kPieces{
        "1,", ",", " ", "a", "a ", " (", ")", ":1", "@a", " (a.b)", "- "};
    std::vector<Attack> attacks;
    std::string last_word;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        const std::string word = text.substr(begin, end - begin);
        std::vector<std::string> pieces(kPieces.begin(), kPieces.end());
        pieces.push_back(" " + word);
        pieces.push_back(" " + last_word + " " + word);
        pieces.push_back(text.substr(0, end) + " ");
        const std::string tail = text.substr(end);
        for (const std::size_t at : {end, end - (word.empty() ? 0 : 1)}) {
            for (const std::string& piece : pieces) {
                for (const std::string& behind :
                     {text.substr(at) + "~", std::string("~"), std::string()}) {
                    attacks.push_back({text.substr(0, at), piece, behind});
                }
            }
        }
        last_word = word;
        begin = end + 1;
    }
    return attacks;
}

// Without what PCRE2 knows of a subject before it starts: it only looks at the first bytes.
std::optional<pattern::StepCounter> counter_of(std::string_view text) {
    const auto pattern =
        pattern::Pattern::compile(pattern::Language::Pcre2, "(*NO_START_OPT)" + std::string(text));
    return pattern ? pattern::StepCounter::make(*pattern) : std::nullopt;
}

struct Measured {
    std::string decoder;
    bool is_prematch;
    std::string text;
    pattern::StepCounter counter;
};

void add_patterns(const std::vector<decode::Decoder>& decoders, std::vector<Measured>& out) {
    for (const decode::Decoder& decoder : decoders) {
        for (const auto* pattern : {&decoder.prematch, &decoder.regex}) {
            if (*pattern) {
                auto counter = counter_of((*pattern)->text());
                REQUIRE(counter);
                out.push_back({decoder.reported_name, pattern == &decoder.prematch,
                               (*pattern)->text(), std::move(*counter)});
            }
        }
        add_patterns(decoder.children, out);
    }
}

}  // namespace

TEST_CASE("shipped_patterns: linear and quadratic patterns are distinguished") {
    struct Row {
        std::string_view text;
        Attack attack;
        bool is_quadratic;
    };
    const Row rows[] = {
        {R"(^\[([0-9,]*[0-9])[0-9,.]*\] from)", {"[1", ",2", "~"}, true},
        {R"(^\[(,*+[0-9]++(?:,++[0-9]++)*+)[0-9,.]*+\] from)", {"[1", ",2", "~"}, false},
        {R"(^looks like (.+?) *$)", {"looks like a", " ", "~"}, true},
        {R"( from [a-z ]++x)", {"", " from", ""}, true},
        {R"( from [a-z]++x)", {"", " from", ""}, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        auto counter = counter_of(row.text);
        REQUIRE(counter);
        CHECK(grows_faster_than_linearly(*counter, row.attack) == row.is_quadratic);
    }
}

TEST_CASE("shipped_patterns: no line makes a decoder's work grow faster than its length") {
    const auto file = std::filesystem::path(PORTCULLIS_SOURCE_DIR) / "decoders/iplog_decoders.xml";
    base::Diagnostics diagnostics;
    const auto document = xml::Document::load(file.string(), "iplog_decoders.xml",
                                              xml::Variables::Substitute, diagnostics);
    REQUIRE(document);
    const auto set = decode::load_decoders({*document}, diagnostics);
    REQUIRE(set);
    std::vector<Measured> patterns;
    add_patterns(set->program_decoders(), patterns);
    add_patterns(set->other_decoders(), patterns);
    CHECK(patterns.size() > 60);
    const auto texts = golden_texts(*set);
    CHECK(texts.size() > 60);

    std::set<std::string> tried;  // decoder and line
    std::set<std::string> found;  // one line for each pattern is enough
    std::set<std::string> measured_decoders;
    for (const Text& text : texts) {
        measured_decoders.insert(text.decoder);
        for (const Attack& attack : attacks_on(text.text)) {
            if (!tried.insert(text.decoder + attack.line(2)).second) {
                continue;
            }
            // Each event is tried on the prematches of all decoders, and on the chain of its own.
            for (Measured& measured : patterns) {
                if ((measured.is_prematch || measured.decoder == text.decoder) &&
                    found.count(measured.text) == 0 &&
                    grows_faster_than_linearly(measured.counter, attack)) {
                    found.insert(measured.text);
                    UNSCOPED_INFO(measured.decoder << ": " << measured.text << "\n  on "
                                                   << attack.prefix << "{" << attack.piece << "}*"
                                                   << attack.tail);
                }
            }
        }
    }
    CHECK(found.empty());
    for (const Measured& measured : patterns) {
        CAPTURE(measured.decoder);
        CHECK(measured_decoders.count(measured.decoder) == 1);  // its lines were tried
    }
}
