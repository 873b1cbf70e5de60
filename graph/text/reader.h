// Reading the text form, lowest part: tokens, a cursor over them, and errors that say where.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ops/error.h"

namespace cotan::text_form {

// An error with its place in the text, told apart from errors of the operations that a statement records.
class ParseError : public Error {
 public:
  using Error::Error;
};

enum class TokenKind : std::uint8_t {
  end,
  name,    // step, encoder.0.weight, #0
  string,  // "any name"
  number,  // 64, 0.5, 1e-05, 0x7ff8
  value,   // %12
  symbol,  // ( ) [ ] { } , : ; = == != ! < <= > >= + - * / && ||
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::uint32_t offset = 0, length = 0;
};

// The tokens of a text and a place among them. `#` begins a comment up to the end of the line, unless a digit follows.
class Reader {
 public:
  Reader(std::string_view text, std::string_view file);

  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(next_ + ahead, tokens_.size() - 1)]; }
  Token take();
  [[nodiscard]] std::string_view spelled(const Token& t) const { return text_.substr(t.offset, t.length); }
  // The same as an error quotes it.
  [[nodiscard]] std::string shown(const Token& t) const;

  // Whether the token is this symbol or this word (never a quoted one).
  [[nodiscard]] bool is(std::string_view what, std::size_t ahead = 0) const;
  bool accept(std::string_view what);
  void expect(std::string_view what);

  // A plain or quoted name. `what` says in errors what is wanted: "the name of a parameter".
  [[nodiscard]] std::string name(std::string_view what);
  // The characters of a string token, escapes resolved.
  [[nodiscard]] std::string unquoted(const Token& t) const;
  // A whole number in low..high, with its sign.
  [[nodiscard]] std::int64_t integer(std::string_view what, std::int64_t low, std::int64_t high);
  // A number token's value. Fails where a double cannot hold its magnitude.
  [[nodiscard]] double number(const Token& t) const;
  // Digits only, as an unsigned number of 64 bits; `base` 16 for 0x....
  [[nodiscard]] std::uint64_t whole(const Token& t) const;
  [[nodiscard]] bool is_whole(const Token& t) const;

  // Throw ParseError. The second: "expected WHAT, found the current token".
  [[noreturn]] void fail(const Token& at, const std::string& problem, const std::string& remedy) const;
  [[noreturn]] void expected(std::string_view what, const std::string& remedy = "Correct the text; docs/ir.md has its grammar") const;

  // Bounds the recursion of a parser: one is alive for each open bracket.
  class Nesting {
   public:
    explicit Nesting(Reader& reader);
    ~Nesting() { --reader_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Reader& reader_;
  };

 private:
  void scan();
  std::uint32_t scan_string(std::uint32_t from) const;
  std::uint32_t scan_number(std::uint32_t from) const;

  std::string_view text_, file_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int depth_ = 0;
};

// A number as the text may write it for an attribute or a literal, with a sign: 1, -0.5, inf, -inf, nan, nan(0x7ff8000000000001).
struct Number {
  double value = 0;
  bool whole = false;  // written without point, exponent or word
  bool fits_int64 = false;
  std::int64_t integer = 0;
  std::uint64_t magnitude = 0;  // of a whole number
  bool negative = false;
};
// Whether a number begins here, `ahead` tokens on.
[[nodiscard]] bool begins_number(const Reader& reader, std::size_t ahead = 0);
[[nodiscard]] Number read_number(Reader& reader);

}  // namespace cotan::text_form
