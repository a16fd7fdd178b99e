// Compiled glob patterns over the bytes of a path.
//
//   *  any run of characters inside one segment      ?  one character (a UTF-8 code point)
//   [a-z] [!a]  one character of a class             \x the character x itself
//   ** as a whole segment: any number of segments    a trailing / : directories only
//
// A pattern without '/' (a trailing one aside) matches the base name at any depth; any other is matched
// against the path relative to its root. Case counts; a leading dot is a character like any other.
// Alternatives in braces are expanded before patterns come here. src/fallback/glob.ts is the same in
// TypeScript.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spillway {

// One segment of a pattern: what stands between two '/'.
class GlobSegment {
 public:
  static GlobSegment Compile(std::string_view pattern);
  bool Matches(std::string_view name) const;
  bool is_globstar() const { return kind_ == Kind::kGlobstar; }

 private:
  // The last three are the shapes nearly every real pattern has; they are compared without a token.
  enum class Kind { kTokens, kGlobstar, kAnything, kLiteral, kSuffix };
  struct Range {
    uint32_t first, last;
  };
  struct Token {
    enum class Kind { kLiteral, kOne, kStar, kClass } kind;
    uint32_t literal = 0;
    bool negated = false;
    std::vector<Range> ranges = {};
  };

  static size_t CompileClass(std::string_view pattern, size_t at, Token* token);
  static bool MatchesOne(const Token& token, uint32_t value);
  void Specialise();

  Kind kind_ = Kind::kTokens;
  std::vector<Token> tokens_;
  std::string text_;  // of kLiteral and kSuffix
};

// Several patterns; a path matches when one of them does.
class GlobSet {
 public:
  void Add(std::string_view pattern);
  bool empty() const { return globs_.empty(); }
  // `path` is relative to the root and without a trailing '/'.
  bool Matches(std::string_view path, bool is_directory) const;

 private:
  struct Glob {
    std::vector<GlobSegment> segments;
    bool base_name_only = false;  // the segments are '**' and one more
    bool directories_only = false;
  };

  static bool MatchesSegments(const std::vector<GlobSegment>& segments, std::string_view path);

  std::vector<Glob> globs_;
};

}  // namespace spillway
