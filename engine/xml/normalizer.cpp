#include "engine/xml/normalizer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ascii.hpp"
#include "base/did_you_mean.hpp"
#include "base/utf8.hpp"
#include "engine/xml/tag_scanner.hpp"
#include "engine/xml/variables.hpp"

namespace portcullis::xml {
namespace {

constexpr std::string_view kDeclaration = "<?xml";

// A shortened copy for messages.
std::string shown(std::string_view name) {
    constexpr std::size_t kShown = 60;
    return name.size() <= kShown ? std::string(name) : std::string(name.substr(0, kShown)) + "…";
}

struct OpenElement {
    StartTag tag;
    std::size_t known_variables = 0;  // definitions before the element
    bool is_variable = false;
    // Of the '<' of an end tag of this name that a backslash turned into content.
    std::optional<std::size_t> swallowed_end;
};

// A stretch of the source: content has one between any two comments.
struct Piece {
    std::size_t begin;
    std::size_t end;
};

// Maps offsets of a concatenation of pieces to the source; offsets may only grow.
class PieceCursor {
  public:
    explicit PieceCursor(const std::vector<Piece>& pieces) : pieces_(pieces) {}

    // The piece that holds `offset`, from it on. REQUIRES: offset < size of the concatenation.
    Piece rest_from(std::size_t offset) {
        while (offset - before_ >= pieces_[index_].end - pieces_[index_].begin) {
            before_ += pieces_[index_].end - pieces_[index_].begin;
            ++index_;
        }
        return {pieces_[index_].begin + (offset - before_), pieces_[index_].end};
    }

  private:
    const std::vector<Piece>& pieces_;
    std::size_t index_ = 0;
    std::size_t before_ = 0;  // bytes of the pieces before index_
};

class Normalizer {
  public:
    Normalizer(const SourceText& source, Variables variables)
        : source_(source), text_(source.text()), substitutes_(variables == Variables::Substitute) {}

    std::optional<NormalizedText> run(base::Diagnostics& diagnostics);

  private:
    void scan();
    std::size_t skip_prologue();
    std::size_t comment_end(std::size_t begin);
    std::size_t misplaced_declaration(std::size_t begin);
    void on_text(std::size_t begin, std::size_t end);
    void note_swallowed_end(std::size_t less_than);
    std::size_t on_start_tag(std::size_t begin);
    std::size_t on_end_tag(std::size_t begin);
    void on_mismatch(const EndTag& tag);
    void open(StartTag tag);
    void close();
    void close_unclosed(std::string_view because);
    void define_variable(const OpenElement& element);
    std::string take_content();
    void drop_content();
    bool check_content_length();
    void emit_name(std::string_view name, std::size_t source_begin);
    void emit_content(const OpenElement& element);
    void emit_value(std::string_view value, const std::vector<Piece>& pieces,
                    std::size_t known_variables);
    void emit_escaped(std::string_view plain);
    void emit_copy(std::string_view value, PieceCursor& cursor, std::size_t begin, std::size_t end);
    void report_unknown_variable(const VariableReference& reference, std::size_t begin);

    base::Diagnostic& error(std::string code, std::string message, std::size_t offset,
                            std::size_t length = 1);
    std::string place_text(std::size_t offset) const;
    bool has_room_for_errors() const { return errors_.size() < kMaxErrors; }
    bool goes_on() const { return has_room_for_errors() && !has_given_up_; }

    const SourceText& source_;
    std::string_view text_;
    bool substitutes_;
    NormalizedText out_;
    std::vector<base::Diagnostic> errors_;
    std::vector<OpenElement> stack_;
    std::unordered_map<std::string_view, std::size_t> open_names_;  // name → number of open ones
    std::vector<Piece> content_;                                    // of the innermost element
    VariableTable variables_;
    std::size_t substituted_ = 0;  // bytes that variables have added so far
    bool has_given_up_ = false;    // further errors would most likely follow from the same defect
};

base::Diagnostic& Normalizer::error(std::string code, std::string message, std::size_t offset,
                                    std::size_t length) {
    errors_.push_back(source_.error(std::move(code), std::move(message), offset, length));
    return errors_.back();
}

std::string Normalizer::place_text(std::size_t offset) const {
    const auto place = source_.place_of(offset);
    return fmt::format("{}:{}", place.line, place.column);
}

std::optional<NormalizedText> Normalizer::run(base::Diagnostics& diagnostics) {
    const std::size_t nul = text_.find('\0');
    if (nul != std::string_view::npos) {
        error("nul-byte", "the text holds a NUL byte", nul).hint =
            "save the file as UTF-8 text (is it UTF-16, or not a text at all?)";
    } else {
        scan();
    }
    if (errors_.empty()) {
        return std::move(out_);
    }
    std::stable_sort(errors_.begin(), errors_.end(), [](const auto& a, const auto& b) {
        return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
    });
    for (auto& each : errors_) {
        diagnostics.add(std::move(each));
    }
    if (!has_room_for_errors()) {
        diagnostics.add(base::make_error(
            "too-many-errors",
            fmt::format("more than {} errors: the rest of the file is not checked", kMaxErrors),
            {source_.file()}));
    }
    return std::nullopt;
}

void Normalizer::scan() {
    std::size_t at = skip_prologue();
    while (at < text_.size() && goes_on()) {
        const std::size_t less_than = std::min(text_.find('<', at), text_.size());
        on_text(at, less_than);
        if (less_than == text_.size()) {
            break;
        }
        const char next = less_than + 1 < text_.size() ? text_[less_than + 1] : '\0';
        if (less_than > at && text_[less_than - 1] == '\\') {
            note_swallowed_end(less_than);
            on_text(less_than, less_than + 1);
            at = less_than + 1;
        } else if (next == '!') {
            at = comment_end(less_than);
        } else if (next == '?') {
            at = misplaced_declaration(less_than);
        } else if (next == '/') {
            at = on_end_tag(less_than);
        } else {
            at = on_start_tag(less_than);
        }
    }
    while (!stack_.empty() && goes_on()) {
        close_unclosed("the file ends before it");
    }
}

std::size_t Normalizer::skip_prologue() {
    std::size_t at = text_.starts_with(base::kByteOrderMark) ? base::kByteOrderMark.size() : 0;
    if (text_.substr(at, kDeclaration.size()) != kDeclaration) {
        return at;
    }
    const std::size_t end = text_.find("?>", at);
    if (end == std::string_view::npos) {
        error("unclosed-declaration", "the declaration is not closed by \"?>\"", at,
              kDeclaration.size());
        return std::min(text_.find('>', at), text_.size());
    }
    return end + 2;
}

// Any "<!" opens a comment; the first "-->" or "!>" ends it.
std::size_t Normalizer::comment_end(std::size_t begin) {
    const std::size_t body = begin + 2;
    for (std::size_t end = text_.find('>', body); end != std::string_view::npos;
         end = text_.find('>', end + 1)) {
        const std::string_view inside = text_.substr(body, end - body);
        if (inside.ends_with("--") || inside.ends_with('!')) {
            return end + 1;
        }
    }
    error("unclosed-comment", "the comment is not closed by \"-->\"", begin, 2).hint =
        R"(everything from "<!" on is a comment; write \<! for a literal one)";
    has_given_up_ = true;
    return text_.size();
}

std::size_t Normalizer::misplaced_declaration(std::size_t begin) {
    error("misplaced-declaration", "\"<?\" is allowed at the very beginning of a file only", begin,
          2)
        .hint = "remove it, or put the <?xml …?> line first, without a blank or a line before it";
    const std::size_t end = text_.find('>', begin);
    return end == std::string_view::npos ? text_.size() : end + 1;
}

void Normalizer::on_text(std::size_t begin, std::size_t end) {
    // Text outside of all elements is ignored.
    if (begin < end && !stack_.empty()) {
        if (!content_.empty() && content_.back().end == begin) {
            content_.back().end = end;
        } else {
            content_.push_back({begin, end});
        }
    }
}

void Normalizer::note_swallowed_end(std::size_t less_than) {
    if (stack_.empty()) {
        return;
    }
    const std::string_view name = stack_.back().tag.name;
    const std::string_view rest = text_.substr(less_than + 1, name.size() + 2);
    if (rest.size() == name.size() + 2 && rest.front() == '/' && rest.back() == '>' &&
        rest.substr(1, name.size()) == name) {
        stack_.back().swallowed_end = less_than;
    }
}

bool Normalizer::check_content_length() {
    std::size_t length = 0;
    for (const auto& piece : content_) {
        length += piece.end - piece.begin;
    }
    if (length > kMaxPiece) {
        error("content-too-long",
              fmt::format("the content of <{}> has {} bytes, the limit is {}",
                          shown(stack_.back().tag.name), length, kMaxPiece),
              content_.front().begin)
            .hint = "split it into several elements: the pieces of a repeated pattern are joined";
    }
    return length <= kMaxPiece;
}

void Normalizer::drop_content() {
    check_content_length();
    content_.clear();
}

std::string Normalizer::take_content() {
    std::string value;
    if (!check_content_length()) {
        content_.clear();
    }
    for (const auto& piece : content_) {
        value += text_.substr(piece.begin, piece.end - piece.begin);
    }
    return value;
}

std::size_t Normalizer::on_start_tag(std::size_t begin) {
    ScannedStartTag scanned = scan_start_tag(source_, begin, errors_);
    if (scanned.is_text) {
        on_text(begin, begin + 1);
        return begin + 1;
    }
    if (scanned.tag) {
        open(std::move(*scanned.tag));
    }
    return scanned.end;
}

void Normalizer::open(StartTag tag) {
    if (!stack_.empty()) {
        drop_content();
        if (stack_.back().is_variable) {
            error("bad-variable", fmt::format("<{}> inside a <var>", shown(tag.name)), tag.begin,
                  tag.name.size() + 1)
                .hint = "the value of a variable is text only; write \\< for a literal '<'";
        }
    }
    if (stack_.size() == kMaxDepth) {
        error("too-deep", fmt::format("elements are nested deeper than {}", kMaxDepth), tag.begin,
              tag.name.size() + 1);
        has_given_up_ = true;
        return;
    }
    OpenElement element;
    element.tag = std::move(tag);
    element.known_variables = variables_.size();
    element.is_variable = substitutes_ && base::equals_ignoring_case(element.tag.name, "var");
    if (!element.is_variable) {
        out_.xml += '<';
        emit_name(element.tag.name, element.tag.begin + 1);
        for (const auto& attribute : element.tag.attributes) {
            out_.xml += ' ';
            emit_name(attribute.name, attribute.name_begin);
            out_.xml += "=\"";
            emit_value(attribute.value,
                       {{attribute.value_begin, attribute.value_begin + attribute.value.size()}},
                       element.known_variables);
            out_.xml += '"';
        }
        out_.xml += '>';
    }
    const bool is_empty = element.tag.is_self_closed;
    ++open_names_[element.tag.name];
    stack_.push_back(std::move(element));
    if (is_empty) {
        close();
    }
}

// Ends the innermost element at its end tag (or "/>").
void Normalizer::close() {
    const OpenElement& element = stack_.back();
    if (element.is_variable) {
        define_variable(element);
    } else {
        emit_content(element);
        out_.xml += "</";
        out_.xml += element.tag.name;
        out_.xml += '>';
    }
    content_.clear();
    --open_names_[element.tag.name];
    stack_.pop_back();
}

void Normalizer::define_variable(const OpenElement& element) {
    const auto& attributes = element.tag.attributes;
    if (attributes.size() != 1 || attributes.front().name != "name") {
        error("bad-variable", "a <var> takes one attribute, its name", element.tag.begin + 1,
              element.tag.name.size())
            .hint = "<var name=\"NAME\">value</var>";
        return;
    }
    const auto& name = attributes.front();
    if (name.value.empty() || name.value.size() > kMaxVariableName) {
        error("bad-variable",
              fmt::format("the name of a variable has 1 to {} bytes", kMaxVariableName),
              name.value_begin, name.value.size());
        return;
    }
    // The first definition counts; a later one is not an error.
    variables_.define(name.value, take_content());
}

std::size_t Normalizer::on_end_tag(std::size_t begin) {
    const EndTag tag = scan_end_tag(source_, begin, errors_);
    if (!tag.is_valid) {
        if (!stack_.empty()) {
            close();
        }
        return tag.end;
    }
    if (!stack_.empty() && stack_.back().tag.name == tag.name) {
        close();
    } else {
        on_mismatch(tag);
    }
    return tag.end;
}

void Normalizer::on_mismatch(const EndTag& tag) {
    const std::size_t length = tag.name.size() + 2;
    const auto is_open = open_names_.find(tag.name);
    if (is_open != open_names_.end() && is_open->second > 0) {
        // Inner elements were forgotten.
        const std::string because =
            fmt::format("</{}> at {} comes before it", shown(tag.name), place_text(tag.begin));
        while (stack_.back().tag.name != tag.name) {
            if (!has_room_for_errors()) {
                return;
            }
            close_unclosed(because);
        }
        close();
        return;
    }
    if (stack_.empty()) {
        error("stray-end-tag", fmt::format("</{}> closes nothing", shown(tag.name)), tag.begin,
              length)
            .hint = "remove it, or write the element that it belongs to";
        return;
    }
    const OpenElement& inner = stack_.back();
    // If the right end tag is the next one, this one is superfluous; otherwise it is the misspelt
    // right one.
    const std::size_t next = text_.find('<', tag.end);
    const std::string right = fmt::format("</{}>", inner.tag.name);
    const bool is_stray =
        next != std::string_view::npos && text_.substr(next, right.size()) == right;
    if (is_stray) {
        error("stray-end-tag", fmt::format("</{}> closes nothing", shown(tag.name)), tag.begin,
              length)
            .hint = fmt::format("the innermost open element is <{}>, opened at {}",
                                shown(inner.tag.name), place_text(inner.tag.begin));
        return;
    }
    const bool differs_in_case = base::equals_ignoring_case(tag.name, inner.tag.name);
    error("tag-mismatch",
          fmt::format("</{}> does not close <{}>, which was opened at {}", shown(tag.name),
                      shown(inner.tag.name), place_text(inner.tag.begin)),
          tag.begin, length)
        .hint = differs_in_case ? fmt::format("write {}: upper and lower case differ here", right)
                                : fmt::format("write </{}>", shown(inner.tag.name));
    close();
}

void Normalizer::close_unclosed(std::string_view because) {
    const OpenElement& element = stack_.back();
    const std::string name = shown(element.tag.name);
    if (element.swallowed_end) {
        error("swallowed-end-tag",
              fmt::format("the backslash makes </{}> part of the content of <{}>, opened at {}",
                          name, name, place_text(element.tag.begin)),
              *element.swallowed_end - 1, element.tag.name.size() + 4)
            .hint = "a content cannot end in a backslash: \\< is a literal '<'";
    } else {
        error("unclosed-element", fmt::format("<{}> is never closed", name), element.tag.begin,
              element.tag.name.size() + 1)
            .hint = fmt::format("write </{}>; {}", name, because);
    }
    content_.clear();
    --open_names_[element.tag.name];
    stack_.pop_back();
}

void Normalizer::emit_name(std::string_view name, std::size_t source_begin) {
    SourceMap::Run run;
    run.normal_begin = static_cast<std::uint32_t>(out_.xml.size());
    run.plain_length = run.source_length = static_cast<std::uint32_t>(name.size());
    run.source_begin = static_cast<std::uint32_t>(source_begin);
    out_.map.add(run);
    out_.xml += name;
}

void Normalizer::emit_content(const OpenElement& element) {
    const std::string value = take_content();
    emit_value(value, content_, element.known_variables);
}

void Normalizer::emit_value(std::string_view value, const std::vector<Piece>& pieces,
                            std::size_t known_variables) {
    PieceCursor cursor(pieces);
    if (known_variables == 0) {
        emit_copy(value, cursor, 0, value.size());
        return;
    }
    std::size_t copied = 0;
    std::size_t length = value.size();
    for (const auto& reference : find_references(value)) {
        emit_copy(value, cursor, copied, reference.begin);
        copied = reference.begin + 1 + reference.name.size();
        const std::size_t begin = cursor.rest_from(reference.begin).begin;
        const std::string* substitute = variables_.find(reference.name, known_variables);
        if (substitute == nullptr) {
            report_unknown_variable(reference, begin);
            continue;
        }
        length += substitute->size();
        substituted_ += substitute->size();
        if (length > kMaxSubstituted || substituted_ > kMaxDocument) {
            error("content-too-long",
                  length > kMaxSubstituted
                      ? fmt::format(
                            "the text has more than {} bytes after its variables are substituted",
                            kMaxSubstituted)
                      : fmt::format("variables add more than {} bytes to this file", kMaxDocument),
                  begin, reference.name.size() + 1);
            has_given_up_ = substituted_ > kMaxDocument;
            return;
        }
        SourceMap::Run run;
        run.normal_begin = static_cast<std::uint32_t>(out_.xml.size());
        run.plain_length = static_cast<std::uint32_t>(substitute->size());
        run.source_begin = static_cast<std::uint32_t>(begin);
        run.source_length = static_cast<std::uint32_t>(reference.name.size() + 1);
        run.is_reference = true;
        out_.map.add(run);
        emit_escaped(*substitute);
    }
    emit_copy(value, cursor, copied, value.size());
}

void Normalizer::report_unknown_variable(const VariableReference& reference, std::size_t begin) {
    auto& diagnostic =
        error("unknown-variable", fmt::format("there is no variable \"{}\"", shown(reference.name)),
              begin, reference.name.size() + 1);
    diagnostic.hint = base::did_you_mean(reference.name, variables_.names());
    if (diagnostic.hint.empty()) {
        diagnostic.hint =
            "in a file with <var> every '$' is a reference unless '$', '.', '|', ',', a blank or "
            "the end of the text follows it";
    }
}

// Bytes [begin, end) of `value`, a run for each piece.
void Normalizer::emit_copy(std::string_view value, PieceCursor& cursor, std::size_t begin,
                           std::size_t end) {
    while (begin < end) {
        const Piece rest = cursor.rest_from(begin);
        const std::size_t length = std::min(end - begin, rest.end - rest.begin);
        SourceMap::Run run;
        run.normal_begin = static_cast<std::uint32_t>(out_.xml.size());
        run.plain_length = run.source_length = static_cast<std::uint32_t>(length);
        run.source_begin = static_cast<std::uint32_t>(rest.begin);
        out_.map.add(run);
        emit_escaped(value.substr(begin, length));
        begin += length;
    }
}

void Normalizer::emit_escaped(std::string_view plain) {
    for (const char c : plain) {
        switch (c) {
            case '&':
                out_.xml += "&amp;";
                break;
            case '<':
                out_.xml += "&lt;";
                break;
            case '"':
                out_.xml += "&quot;";
                break;
            default:
                out_.xml += c;
        }
    }
}

}  // namespace

std::optional<NormalizedText> normalize(const SourceText& source, Variables variables,
                                        base::Diagnostics& diagnostics) {
    return Normalizer(source, variables).run(diagnostics);
}

}  // namespace portcullis::xml
