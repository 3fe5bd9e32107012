#include "engine/pattern/pattern_shape.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/ascii.hpp"
#include "engine/pattern/translate.hpp"

namespace portcullis::pattern {
namespace {

using Kind = ShapeNode::Kind;

constexpr std::size_t kMaxShapeDepth = 60;
constexpr std::size_t kMaxExample = 2048;

ByteSet bytes_where(bool (*holds)(unsigned char)) {
    ByteSet bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes.set(i, holds(static_cast<unsigned char>(i)));
    }
    return bytes;
}

ByteSet only(char c) {
    ByteSet bytes;
    bytes.set(static_cast<unsigned char>(c));
    return bytes;
}

// The functions of base/ascii for bytes of a set.
bool is_digit(unsigned char c) { return base::is_digit(static_cast<char>(c)); }
bool is_letter(unsigned char c) { return base::is_letter(static_cast<char>(c)); }
bool is_word(unsigned char c) { return is_digit(c) || is_letter(c) || c == '_'; }
bool is_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_hex(unsigned char c) { return base::is_hex_digit(static_cast<char>(c)); }

// Escapes and POSIX names of sets of bytes.
struct NamedSet {
    std::string_view name;
    bool (*holds)(unsigned char);
};
constexpr std::array kEscapeSets{
    NamedSet{"d", is_digit},
    NamedSet{"w", is_word},
    NamedSet{"s", is_space},
    NamedSet{"h", [](unsigned char c) { return c == ' ' || c == '\t'; }},
    NamedSet{"v", [](unsigned char c) { return c >= '\n' && c <= '\r'; }},
    NamedSet{"D", [](unsigned char c) { return !is_digit(c); }},
    NamedSet{"W", [](unsigned char c) { return !is_word(c); }},
    NamedSet{"S", [](unsigned char c) { return !is_space(c); }},
    NamedSet{"H", [](unsigned char c) { return c != ' ' && c != '\t'; }},
    NamedSet{"V", [](unsigned char c) { return c < '\n' || c > '\r'; }},
    NamedSet{"N", [](unsigned char c) { return c != '\n'; }},
};
constexpr std::array kPosixSets{
    NamedSet{"alpha", is_letter},
    NamedSet{"digit", is_digit},
    NamedSet{"alnum", [](unsigned char c) { return is_letter(c) || is_digit(c); }},
    NamedSet{"word", is_word},
    NamedSet{"space", is_space},
    NamedSet{"blank", [](unsigned char c) { return c == ' ' || c == '\t'; }},
    NamedSet{"xdigit", is_hex},
    NamedSet{"upper", is_letter},  // patterns are caseless
    NamedSet{"lower", is_letter},
    NamedSet{"punct",
             [](unsigned char c) { return c > 0x20 && c < 0x7f && !is_letter(c) && !is_digit(c); }},
    NamedSet{"print", [](unsigned char c) { return c >= 0x20 && c < 0x7f; }},
    NamedSet{"graph", [](unsigned char c) { return c > 0x20 && c < 0x7f; }},
};

struct EscapedByte {
    char escape;
    char byte;
};
constexpr std::array kEscapedBytes{EscapedByte{'t', '\t'},   EscapedByte{'n', '\n'},
                                   EscapedByte{'r', '\r'},   EscapedByte{'f', '\f'},
                                   EscapedByte{'e', '\x1b'}, EscapedByte{'a', '\a'}};

}  // namespace

// Recursive descent over the PCRE2 text; ends (fails_) at unknown syntax.
class ShapeParser {
  public:
    explicit ShapeParser(std::string_view text) : text_(text) {}

    std::optional<PatternShape> parse() {
        shape_.root_ = parse_alternation(0);
        if (fails_ || at_ != text_.size()) {
            return std::nullopt;
        }
        return std::move(shape_);
    }

  private:
    std::size_t add(ShapeNode node) {
        shape_.nodes_.push_back(std::move(node));
        return shape_.nodes_.size() - 1;
    }
    std::size_t add_bytes(const ByteSet& bytes, std::size_t begin) {
        ShapeNode node;
        node.kind = Kind::Bytes;
        node.bytes = bytes;
        node.begin = begin;
        node.end = at_;
        return add(std::move(node));
    }
    std::size_t add_plain(Kind kind, std::size_t begin) {
        ShapeNode node;
        node.kind = kind;
        node.begin = begin;
        node.end = at_;
        return add(std::move(node));
    }
    std::size_t give_up() {
        fails_ = true;
        at_ = text_.size();
        return add_plain(Kind::Empty, at_);
    }
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool take(std::string_view piece) {
        if (text_.substr(at_, piece.size()) != piece) {
            return false;
        }
        at_ += piece.size();
        return true;
    }

    std::size_t parse_alternation(std::size_t depth);
    std::size_t parse_sequence(std::size_t depth);
    std::size_t parse_item(std::size_t depth);
    std::size_t parse_group(std::size_t depth);
    std::size_t parse_escape();
    std::size_t parse_class();
    std::optional<ByteSet> parse_class_escape(char& byte);
    std::size_t parse_quantifier(std::size_t item);
    bool parse_braces(int& least, int& most);
    std::optional<char> parse_hex();

    std::string_view text_;
    std::size_t at_ = 0;
    bool fails_ = false;
    PatternShape shape_;
};

std::size_t ShapeParser::parse_alternation(std::size_t depth) {
    if (depth > kMaxShapeDepth) {
        return give_up();
    }
    ShapeNode node;
    node.kind = Kind::Alternation;
    node.begin = at_;
    do {
        node.children.push_back(parse_sequence(depth));
    } while (take("|"));
    node.end = at_;
    return node.children.size() == 1 ? node.children.front() : add(std::move(node));
}

std::size_t ShapeParser::parse_sequence(std::size_t depth) {
    ShapeNode node;
    node.kind = Kind::Sequence;
    node.begin = at_;
    while (at_ < text_.size() && peek() != '|' && peek() != ')') {
        const std::size_t item = parse_item(depth);
        node.children.push_back(parse_quantifier(item));
    }
    node.end = at_;
    return add(std::move(node));
}

std::size_t ShapeParser::parse_item(std::size_t depth) {
    const std::size_t begin = at_;
    const char c = text_[at_++];
    switch (c) {
        case '^':
            return add_plain(Kind::Start, begin);
        case '$':
            return add_plain(Kind::End, begin);
        case '.':
            return add_bytes(~only('\n'), begin);
        case '(':
            return parse_group(depth);
        case '[':
            return parse_class();
        case '\\':
            return parse_escape();
        default:
            return add_bytes(only(c), begin);
    }
}

std::size_t ShapeParser::parse_group(std::size_t depth) {
    ShapeNode node;
    node.begin = at_ - 1;
    node.kind = Kind::Group;
    if (peek() == '*') {
        return give_up();
    }
    if (!take("?")) {
        node.is_capture = true;
    } else if (take("=") || take("<=")) {
        node.kind = Kind::Look;
    } else if (take("!") || take("<!")) {
        node.kind = Kind::Look;
        node.is_negative = true;
    } else if (take(">")) {
        node.is_atomic = true;
    } else if (take("P<") || take("<") || take("'")) {
        const std::size_t end = text_.find_first_of(">'", at_);
        if (end == std::string_view::npos) {
            return give_up();
        }
        at_ = end + 1;
        node.is_capture = true;
    } else {
        // Options: i, m and s change nothing that matters here, the others do.
        const std::size_t end = text_.find_first_not_of("ims-", at_);
        if (end == std::string_view::npos || (text_[end] != ':' && text_[end] != ')')) {
            return give_up();
        }
        at_ = end + 1;
        if (text_[end] == ')') {
            return add_plain(Kind::Empty, node.begin);
        }
    }
    node.children.push_back(parse_alternation(depth + 1));
    if (!take(")")) {
        return give_up();
    }
    node.end = at_;
    return add(std::move(node));
}

std::optional<char> ShapeParser::parse_hex() {
    const bool is_braced = take("{");
    const std::size_t limit = is_braced ? text_.find('}', at_) : at_ + 2;
    std::size_t end = at_;
    while (end < std::min(limit, text_.size()) && is_hex(static_cast<unsigned char>(text_[end]))) {
        ++end;
    }
    unsigned value = 0;
    const auto read = std::from_chars(text_.data() + at_, text_.data() + end, value, 16);
    if (read.ec != std::errc{} || value > 0xff || (is_braced && end != limit)) {
        return std::nullopt;
    }
    at_ = is_braced ? end + 1 : end;
    return static_cast<char>(value);
}

std::size_t ShapeParser::parse_escape() {
    const std::size_t begin = at_ - 1;
    const char c = at_ < text_.size() ? text_[at_++] : '\\';
    if (c == 'x') {
        const auto byte = parse_hex();
        return byte ? add_bytes(only(*byte), begin) : give_up();
    }
    if (c == 'A' || c == 'G') {
        return add_plain(Kind::Start, begin);
    }
    if (c == 'z' || c == 'Z') {
        return add_plain(Kind::End, begin);
    }
    if (c == 'b' || c == 'B' || (c >= '1' && c <= '9')) {
        at_ = std::min(text_.find_first_not_of("0123456789", at_), text_.size());
        return add_plain(Kind::Empty, begin);
    }
    const auto* const set =
        std::find_if(kEscapeSets.begin(), kEscapeSets.end(),
                     [&](const NamedSet& row) { return row.name.front() == c; });
    if (set != kEscapeSets.end()) {
        return add_bytes(bytes_where(set->holds), begin);
    }
    const auto* const escaped =
        std::find_if(kEscapedBytes.begin(), kEscapedBytes.end(),
                     [&](const EscapedByte& row) { return row.escape == c; });
    if (escaped != kEscapedBytes.end()) {
        return add_bytes(only(escaped->byte), begin);
    }
    return is_letter(static_cast<unsigned char>(c)) || c == '0' ? give_up()
                                                                : add_bytes(only(c), begin);
}

// After the backslash in a class: a set, or one byte in `byte`.
std::optional<ByteSet> ShapeParser::parse_class_escape(char& byte) {
    const char c = at_ < text_.size() ? text_[at_++] : '\\';
    const auto* const set =
        std::find_if(kEscapeSets.begin(), kEscapeSets.end(),
                     [&](const NamedSet& row) { return row.name.front() == c; });
    if (set != kEscapeSets.end()) {
        return bytes_where(set->holds);
    }
    const auto* const escaped =
        std::find_if(kEscapedBytes.begin(), kEscapedBytes.end(),
                     [&](const EscapedByte& row) { return row.escape == c; });
    byte = escaped != kEscapedBytes.end() ? escaped->byte : c;
    if (c == 'b') {
        byte = '\b';
    } else if (c == 'x') {
        const auto hex = parse_hex();
        fails_ = fails_ || !hex;
        byte = hex.value_or('x');
    }
    return std::nullopt;
}

std::size_t ShapeParser::parse_class() {
    const std::size_t begin = at_ - 1;
    const bool is_negated = take("^");
    ByteSet bytes;
    int previous = -1;  // a byte that may begin a range
    for (bool is_first = true; at_ < text_.size() && (is_first || peek() != ']');
         is_first = false) {
        if (take("[:")) {
            const bool excludes = take("^");
            const std::size_t end = text_.find(":]", at_);
            const std::string_view name =
                text_.substr(at_, end == std::string_view::npos ? 0 : end - at_);
            const auto* const set =
                std::find_if(kPosixSets.begin(), kPosixSets.end(),
                             [&](const NamedSet& row) { return row.name == name; });
            if (set == kPosixSets.end()) {
                return give_up();
            }
            bytes |= excludes ? ~bytes_where(set->holds) : bytes_where(set->holds);
            at_ = end + 2;
            previous = -1;
            continue;
        }
        const bool is_range =
            previous >= 0 && peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
        if (is_range) {
            ++at_;
        }
        char byte = text_[at_++];
        if (byte == '\\') {
            if (const auto set = parse_class_escape(byte)) {
                bytes |= *set;
                previous = -1;
                continue;
            }
        }
        const int last = static_cast<unsigned char>(byte);
        for (int i = is_range ? previous : last; i <= last; ++i) {
            bytes.set(static_cast<std::size_t>(i));
        }
        previous = is_range ? -1 : last;
    }
    if (!take("]") || fails_) {
        return give_up();
    }
    return add_bytes(is_negated ? ~bytes : bytes, begin);
}

// {n}, {n,} and {n,m}; anything else in braces is literal.
bool ShapeParser::parse_braces(int& least, int& most) {
    const std::size_t close = text_.find('}', at_);
    if (peek() != '{' || close == std::string_view::npos) {
        return false;
    }
    const char* at = text_.data() + at_ + 1;
    const char* const end = text_.data() + close;
    const auto first = std::from_chars(at, end, least);
    if (first.ec != std::errc{} || least < 0) {
        return false;
    }
    most = least;
    at = first.ptr;
    if (at != end && *at == ',') {
        most = ShapeNode::kUnlimited;
        if (++at != end) {
            const auto second = std::from_chars(at, end, most);
            at = second.ec == std::errc{} ? second.ptr : at;
        }
    }
    if (at != end) {
        return false;
    }
    at_ = close + 1;
    return true;
}

std::size_t ShapeParser::parse_quantifier(std::size_t item) {
    ShapeNode node;
    node.kind = Kind::Repeat;
    if (take("*")) {
        node.least = 0;
        node.most = ShapeNode::kUnlimited;
    } else if (take("+")) {
        node.most = ShapeNode::kUnlimited;
    } else if (take("?")) {
        node.least = 0;
    } else if (!parse_braces(node.least, node.most)) {
        return item;
    }
    node.is_atomic = take("+");
    if (!node.is_atomic) {
        take("?");
    }
    node.children.push_back(item);
    node.begin = shape_.nodes_[item].begin;
    node.end = at_;
    return add(std::move(node));
}

std::optional<PatternShape> PatternShape::parse(Language language, std::string_view text) {
    const auto translation = translate(language, text);
    if (!translation) {
        return std::nullopt;
    }
    auto shape = ShapeParser(translation->text).parse();
    if (shape) {
        const auto origin_of = [&](std::size_t at) {
            return at < translation->origins.size() ? translation->origins[at] : text.size();
        };
        for (ShapeNode& node : shape->nodes_) {
            node.begin = origin_of(node.begin);
            node.end = origin_of(node.end);
        }
    }
    return shape;
}

std::string PatternShape::example_of(std::size_t index) const {
    const ShapeNode& node = nodes_[index];
    std::string out;
    switch (node.kind) {
        case Kind::Bytes:
            for (const char candidate : std::string_view("a0 .-/:_\"=")) {
                if (node.bytes.test(static_cast<unsigned char>(candidate))) {
                    return {candidate};
                }
            }
            for (std::size_t i = 0; i < node.bytes.size(); ++i) {
                const std::size_t byte = (i + 0x20) % node.bytes.size();  // printable ones first
                if (node.bytes.test(byte)) {
                    return {static_cast<char>(byte)};
                }
            }
            return {};
        case Kind::Sequence:
            for (const std::size_t child : node.children) {
                out += example_of(child);
            }
            break;
        case Kind::Alternation:
        case Kind::Group:
            return example_of(node.children.front());
        case Kind::Repeat: {
            const std::string one = example_of(node.children.front());
            const int wanted = std::max(node.least, node.most == 0 ? 0 : 1);
            for (int i = 0; i < wanted && out.size() < kMaxExample; ++i) {
                out += one;
            }
            break;
        }
        case Kind::Look:
        case Kind::Start:
        case Kind::End:
        case Kind::Empty:
            break;
    }
    out.resize(std::min(out.size(), kMaxExample));
    return out;
}

}  // namespace portcullis::pattern
