#include "scan/glob.h"

#include <algorithm>

#include "scan/utf8.h"

namespace spillway {
namespace {

void AppendUtf8(uint32_t value, std::string* out) {
  if (value < 0x80) {
    out->push_back(static_cast<char>(value));
    return;
  }
  const int length = value < 0x800 ? 2 : value < 0x10000 ? 3 : 4;
  static constexpr unsigned char kLead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  out->push_back(static_cast<char>(kLead[length] | value >> (6 * (length - 1))));
  for (int i = length - 2; i >= 0; --i) out->push_back(static_cast<char>(0x80 | ((value >> (6 * i)) & 0x3F)));
}

}  // namespace

// Reads the class that begins at `at`, just behind '['. Returns the position behind its ']', or `at` where
// the class is never closed: the bracket is then an ordinary character.
size_t GlobSegment::CompileClass(std::string_view pattern, size_t at, Token* token) {
  const size_t begin = at;
  token->kind = Token::Kind::kClass;
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) {
    token->negated = true;
    ++at;
  }
  auto next = [&] {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
    CodePoint point = DecodeUtf8(pattern, at);
    at += point.length;
    return point.value;
  };
  for (bool first = true; at < pattern.size(); first = false) {
    if (pattern[at] == ']' && !first) return at + 1;
    Range range;
    range.first = range.last = next();
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      ++at;
      range.last = next();
    }
    token->ranges.push_back(range);
  }
  return begin;
}

GlobSegment GlobSegment::Compile(std::string_view pattern) {
  GlobSegment segment;
  if (pattern == "**") {
    segment.kind_ = Kind::kGlobstar;
    return segment;
  }
  for (size_t at = 0; at < pattern.size();) {
    Token token{Token::Kind::kLiteral};
    if (pattern[at] == '[') {
      Token bracket{Token::Kind::kClass};
      if (size_t end = CompileClass(pattern, at + 1, &bracket); end != at + 1) {
        segment.tokens_.push_back(std::move(bracket));
        at = end;
        continue;
      }
    }
    if (pattern[at] == '*' || pattern[at] == '?') {
      token.kind = pattern[at] == '*' ? Token::Kind::kStar : Token::Kind::kOne;
      ++at;
    } else {
      if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
      CodePoint point = DecodeUtf8(pattern, at);
      token.literal = point.value;
      at += point.length;
    }
    segment.tokens_.push_back(std::move(token));
  }
  segment.Specialise();
  return segment;
}

void GlobSegment::Specialise() {
  const bool starred = !tokens_.empty() && tokens_[0].kind == Token::Kind::kStar;
  for (size_t i = starred; i < tokens_.size(); ++i)
    if (tokens_[i].kind != Token::Kind::kLiteral || tokens_[i].literal >= kInvalidByte) return;
  for (size_t i = starred; i < tokens_.size(); ++i) AppendUtf8(tokens_[i].literal, &text_);
  kind_ = !starred ? Kind::kLiteral : text_.empty() ? Kind::kAnything : Kind::kSuffix;
}

bool GlobSegment::MatchesOne(const Token& token, uint32_t value) {
  if (token.kind == Token::Kind::kLiteral) return token.literal == value;
  if (token.kind == Token::Kind::kOne) return true;
  const bool inside = std::any_of(token.ranges.begin(), token.ranges.end(), [value](const Range& range) {
    return value >= range.first && value <= range.last;
  });
  return inside != token.negated;
}

// A failed match goes back to the last star only: at most length(name) × length(pattern) steps.
bool GlobSegment::Matches(std::string_view name) const {
  if (kind_ == Kind::kAnything) return true;
  if (kind_ == Kind::kLiteral) return name == text_;
  if (kind_ == Kind::kSuffix) return name.ends_with(text_);
  size_t token = 0, at = 0, star = tokens_.size(), resume = 0;
  while (at < name.size()) {
    if (token < tokens_.size() && tokens_[token].kind == Token::Kind::kStar) {
      star = token++;
      resume = at;
      continue;
    }
    CodePoint point = DecodeUtf8(name, at);
    if (token < tokens_.size() && MatchesOne(tokens_[token], point.value)) {
      ++token;
      at += point.length;
      continue;
    }
    if (star == tokens_.size()) return false;
    resume += DecodeUtf8(name, resume).length;
    at = resume;
    token = star + 1;
  }
  while (token < tokens_.size() && tokens_[token].kind == Token::Kind::kStar) ++token;
  return token == tokens_.size();
}

void GlobSet::Add(std::string_view pattern) {
  Glob glob;
  glob.directories_only = pattern.ends_with('/');
  while (pattern.ends_with('/')) pattern.remove_suffix(1);
  if (pattern.find('/') == std::string_view::npos) glob.segments.push_back(GlobSegment::Compile("**"));
  for (size_t at = 0; at <= pattern.size();) {
    size_t end = std::min(pattern.find('/', at), pattern.size());
    std::string_view segment = pattern.substr(at, end - at);
    if (!segment.empty() && segment != ".") glob.segments.push_back(GlobSegment::Compile(segment));
    at = end + 1;
  }
  // What ends in '**' means everything below, so at least one more segment.
  if (!glob.segments.empty() && glob.segments.back().is_globstar())
    glob.segments.push_back(GlobSegment::Compile("*"));
  glob.base_name_only = glob.segments.size() == 2 && glob.segments[0].is_globstar();
  globs_.push_back(std::move(glob));
}

bool GlobSet::Matches(std::string_view path, bool is_directory) const {
  const std::string_view base = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  return std::any_of(globs_.begin(), globs_.end(), [&](const Glob& glob) {
    if (glob.directories_only && !is_directory) return false;
    return glob.base_name_only ? glob.segments[1].Matches(base) : MatchesSegments(glob.segments, path);
  });
}

// The same walk as inside a segment, with '**' as the star and segments as the characters.
bool GlobSet::MatchesSegments(const std::vector<GlobSegment>& segments, std::string_view path) {
  auto end_of = [path](size_t at) { return std::min(path.find('/', at), path.size()); };
  size_t segment = 0, at = 0, star = segments.size(), resume = 0;
  while (at < path.size()) {
    if (segment < segments.size() && segments[segment].is_globstar()) {
      star = segment++;
      resume = at;
      continue;
    }
    const size_t end = end_of(at);
    if (segment < segments.size() && segments[segment].Matches(path.substr(at, end - at))) {
      ++segment;
      at = end + 1;
      continue;
    }
    if (star == segments.size()) return false;
    resume = end_of(resume) + 1;
    at = resume;
    segment = star + 1;
  }
  while (segment < segments.size() && segments[segment].is_globstar()) ++segment;
  return segment == segments.size();
}

}  // namespace spillway
