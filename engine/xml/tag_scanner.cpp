#include "engine/xml/tag_scanner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/ascii.hpp"
#include "engine/xml/normalizer.hpp"

namespace portcullis::xml {
namespace {

constexpr std::string_view kLiteralHint = "write \\< for a literal '<' in a content";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_name_start(char c) {
    return base::is_letter(c) || c == '_' || c == ':' || static_cast<unsigned char>(c) >= 0x80;
}

bool is_name_byte(char c) { return is_name_start(c) || base::is_digit(c) || c == '-' || c == '.'; }

class StartTagScanner {
  public:
    StartTagScanner(const SourceText& source, std::size_t begin,
                    std::vector<base::Diagnostic>& errors)
        : source_(source), text_(source.text()), at_(begin + 1), errors_(errors) {
        tag_.begin = begin;
    }

    ScannedStartTag scan();

  private:
    enum class Step { Next, Done, Broken };

    Step scan_attribute();
    Step scan_value(ScannedAttribute& attribute);
    bool scan_tag_end(ScannedStartTag& result);
    std::string_view scan_name();
    void keep(const ScannedAttribute& attribute);
    void skip_blanks();
    // To the '>' that ends the tag, or before the '<' of the next one.
    Step skip_rest();
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    base::Diagnostic& error(std::string code, std::string message, std::size_t offset,
                            std::size_t length);
    void report_unclosed_tag();

    const SourceText& source_;
    std::string_view text_;
    std::size_t at_;
    std::vector<base::Diagnostic>& errors_;
    StartTag tag_;
    bool has_too_many_ = false;
};

base::Diagnostic& StartTagScanner::error(std::string code, std::string message, std::size_t offset,
                                         std::size_t length) {
    errors_.push_back(source_.error(std::move(code), std::move(message), offset, length));
    return errors_.back();
}

void StartTagScanner::skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) {
        ++at_;
    }
}

std::string_view StartTagScanner::scan_name() {
    const std::size_t begin = at_;
    if (at_ < text_.size() && is_name_start(text_[at_])) {
        while (at_ < text_.size() && is_name_byte(text_[at_])) {
            ++at_;
        }
    }
    return text_.substr(begin, at_ - begin);
}

StartTagScanner::Step StartTagScanner::skip_rest() {
    at_ = std::min(text_.find_first_of("<>", at_), text_.size());
    if (peek() != '>') {
        return Step::Broken;
    }
    tag_.is_self_closed = text_[at_ - 1] == '/';
    ++at_;
    return Step::Done;
}

void StartTagScanner::report_unclosed_tag() {
    error("unclosed-tag", fmt::format("the tag <{} is not closed by '>'", tag_.name.substr(0, 60)),
          tag_.begin, tag_.name.size() + 1)
        .hint = kLiteralHint;
}

ScannedStartTag StartTagScanner::scan() {
    ScannedStartTag result;
    tag_.name = scan_name();
    if (tag_.name.empty()) {
        error("bad-tag", "this '<' starts neither an element nor a comment", tag_.begin, 1).hint =
            kLiteralHint;
        result.is_text = true;
        return result;
    }
    if (tag_.name.size() > kMaxPiece) {
        error("name-too-long",
              fmt::format("the name of the element has {} bytes, the limit is {}", tag_.name.size(),
                          kMaxPiece),
              tag_.begin + 1, tag_.name.size());
        skip_rest();
        result.end = at_;
        return result;
    }
    Step step = Step::Next;
    const char behind = peek();
    if (at_ < text_.size() && !is_blank(behind) && behind != '>' && behind != '/' &&
        behind != '<') {
        error("bad-name", "a name has letters, digits, '_', '-', '.' and ':' only", at_, 1).hint =
            kLiteralHint;
        step = skip_rest();
    }
    while (step == Step::Next && errors_.size() < kMaxErrors) {
        step = scan_attribute();
    }
    result.end = at_;
    if (step == Step::Done) {
        result.tag = std::move(tag_);
    }
    return result;
}

StartTagScanner::Step StartTagScanner::scan_attribute() {
    skip_blanks();
    if (at_ == text_.size() || peek() == '<') {
        report_unclosed_tag();
        return Step::Broken;
    }
    if (peek() == '>') {
        ++at_;
        return Step::Done;
    }
    if (text_.substr(at_, 2) == "/>") {
        tag_.is_self_closed = true;
        at_ += 2;
        return Step::Done;
    }
    ScannedAttribute attribute;
    attribute.name_begin = at_;
    attribute.name = scan_name();
    if (attribute.name.empty()) {
        if (!tag_.attributes.empty() && tag_.attributes.back().value.ends_with('=')) {
            // id="1 level="5": the value took in what should be the next attribute.
            const auto& last = tag_.attributes.back();
            error("unclosed-value",
                  fmt::format("the value of \"{}\" includes the next attribute",
                              last.name.substr(0, 60)),
                  last.value_begin - 1, last.value.size() + 2)
                .hint = "its closing quote is missing";
            return skip_rest();
        }
        error("bad-attribute", R"(an attribute (name="value"), '>' or "/>" is expected)", at_, 1);
        return skip_rest();
    }
    if (attribute.name.size() > kMaxPiece) {
        error("name-too-long",
              fmt::format("the name of the attribute has {} bytes, the limit is {}",
                          attribute.name.size(), kMaxPiece),
              attribute.name_begin, attribute.name.size());
        return skip_rest();
    }
    const std::size_t name_end = at_;
    skip_blanks();
    if (peek() != '=') {
        error("attribute-without-value",
              fmt::format("the attribute \"{}\" has no value", attribute.name.substr(0, 60)),
              attribute.name_begin, attribute.name.size())
            .hint = fmt::format("write {}=\"…\"", attribute.name.substr(0, 60));
        const char next = peek();
        const bool goes_on = at_ > name_end || next == '>' || next == '/' || next == '<';
        return goes_on || at_ == text_.size() ? Step::Next : skip_rest();
    }
    if (at_ > name_end) {
        error("blank-before-equals",
              fmt::format("blank between the attribute \"{}\" and its '='",
                          attribute.name.substr(0, 60)),
              name_end, at_ - name_end)
            .hint = "remove it; blanks are allowed after the '=' only";
    }
    ++at_;
    return scan_value(attribute);
}

StartTagScanner::Step StartTagScanner::scan_value(ScannedAttribute& attribute) {
    skip_blanks();
    const char quote = peek();
    if (quote != '"' && quote != '\'') {
        error("unquoted-value",
              fmt::format("the value of \"{}\" is not in quotes", attribute.name.substr(0, 60)),
              at_ < text_.size() ? at_ : attribute.name_begin, 1)
            .hint = fmt::format("write {}=\"…\"", attribute.name.substr(0, 60));
        at_ = std::min(text_.find_first_of(" \t\r\n<>", at_), text_.size());
        return Step::Next;
    }
    ++at_;
    attribute.value_begin = at_;
    const char stops[] = {quote, '>', '\0'};
    std::size_t end = std::min(text_.find_first_of(stops, at_), text_.size());
    if (end < text_.size() && text_[end] == '>') {
        // Either the '>' is meant as part of the value, or the closing quote was forgotten.
        const char line_stops[] = {quote, '\n', '<', '\0'};
        const std::size_t quote_end = text_.find_first_of(line_stops, end);
        if (quote_end != std::string_view::npos && text_[quote_end] == quote) {
            error("greater-in-value",
                  fmt::format("'>' in the value of \"{}\"", attribute.name.substr(0, 60)), end, 1)
                .hint = "an attribute's value cannot hold a '>'";
            at_ = quote_end + 1;
            return Step::Next;
        }
    }
    if (end == text_.size() || text_[end] == '>') {
        error("unclosed-value",
              fmt::format("the value of \"{}\" has no closing {}", attribute.name.substr(0, 60),
                          quote),
              attribute.value_begin - 1, end - attribute.value_begin + 1);
        at_ = end;
        return end == text_.size() ? Step::Broken : skip_rest();
    }
    attribute.value = text_.substr(attribute.value_begin, end - attribute.value_begin);
    at_ = end + 1;
    if (attribute.value.size() > kMaxPiece) {
        error("value-too-long",
              fmt::format("the value of \"{}\" has {} bytes, the limit is {}",
                          attribute.name.substr(0, 60), attribute.value.size(), kMaxPiece),
              attribute.value_begin, attribute.value.size());
        return Step::Next;
    }
    keep(attribute);
    return Step::Next;
}

void StartTagScanner::keep(const ScannedAttribute& attribute) {
    for (const auto& earlier : tag_.attributes) {
        if (earlier.name == attribute.name) {
            const auto place = source_.place_of(earlier.name_begin);
            error("duplicate-attribute",
                  fmt::format("the attribute \"{}\" is given twice, first at {}:{}",
                              attribute.name.substr(0, 60), place.line, place.column),
                  attribute.name_begin, attribute.name.size());
            return;
        }
    }
    if (tag_.attributes.size() < kMaxAttributes) {
        tag_.attributes.push_back(attribute);
    } else if (!has_too_many_) {
        has_too_many_ = true;
        error("too-many-attributes",
              fmt::format("more than {} attributes in one element", kMaxAttributes),
              attribute.name_begin, attribute.name.size());
    }
}

}  // namespace

ScannedStartTag scan_start_tag(const SourceText& source, std::size_t begin,
                               std::vector<base::Diagnostic>& errors) {
    return StartTagScanner(source, begin, errors).scan();
}

EndTag scan_end_tag(const SourceText& source, std::size_t begin,
                    std::vector<base::Diagnostic>& errors) {
    const std::string_view text = source.text();
    EndTag tag;
    tag.begin = begin;
    std::size_t at = begin + 2;
    while (at < text.size() && is_name_byte(text[at])) {
        ++at;
    }
    tag.name = text.substr(begin + 2, at - begin - 2);
    while (at < text.size() && is_blank(text[at])) {
        ++at;
    }
    if (!tag.name.empty() && at < text.size() && text[at] == '>') {
        tag.is_valid = true;
        tag.end = at + 1;
        return tag;
    }
    auto diagnostic =
        source.error("bad-end-tag", "an end tag is written </name>", begin, tag.name.size() + 2);
    diagnostic.hint = kLiteralHint;
    errors.push_back(std::move(diagnostic));
    tag.end = std::min(text.find_first_of("<>", at), text.size());
    if (tag.end < text.size() && text[tag.end] == '>') {
        ++tag.end;
    }
    // The element that it was meant to close is closed anyway.
    tag.is_valid = !tag.name.empty();
    return tag;
}

}  // namespace portcullis::xml
