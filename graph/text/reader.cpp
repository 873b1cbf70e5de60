#include "graph/text/reader.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <limits>

#include "graph/text/words.h"
#include "ops/attributes.h"

namespace cotan::text_form {
namespace {

constexpr int deepest = 200;
constexpr std::string_view double_symbols[] = {"==", "!=", "<=", ">=", "&&", "||"};
constexpr std::string_view symbols = "()[]{},:;=!<>+-*/";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Reader::Reader(std::string_view text, std::string_view file) : text_(text), file_(file) {
  if (text.size() >= std::numeric_limits<std::uint32_t>::max()) throw ParseError("parse", "the text is longer than 4 GiB", "Split it", {});
  tokens_.reserve(text.size() / 3 + 1);
  scan();
}

void Reader::scan() {
  const auto size = static_cast<std::uint32_t>(text_.size());
  auto at = [&](std::uint32_t i) { return i < size ? text_[i] : '\0'; };
  std::uint32_t i = 0;
  while (i < size) {
    const char c = text_[i];
    if (is_space(c)) {
      ++i;
      continue;
    }
    if (c == '#' && !is_digit(at(i + 1))) {
      while (i < size && text_[i] != '\n') ++i;
      continue;
    }
    Token t{TokenKind::symbol, i, 1};
    if (begins_name(c) || c == '#') {
      t.kind = TokenKind::name;
      while (continues_name(at(i + t.length))) ++t.length;
    } else if (is_digit(c)) {
      t.kind = TokenKind::number;
      t.length = scan_number(i);
    } else if (c == '"') {
      t.kind = TokenKind::string;
      t.length = scan_string(i);
    } else if (c == '%' && is_digit(at(i + 1))) {
      t.kind = TokenKind::value;
      while (is_digit(at(i + t.length))) ++t.length;
    } else if (std::find(std::begin(double_symbols), std::end(double_symbols), text_.substr(i, 2)) != std::end(double_symbols)) {
      t.length = 2;
    } else if (symbols.find(c) == std::string_view::npos) {
      fail(t, fmt::format("the character {} has no meaning here", quoted(text_.substr(i, 1))), "Remove it, or put the name that it belongs to in quotes");
    }
    tokens_.push_back(t);
    i += t.length;
  }
  tokens_.push_back({TokenKind::end, size, 0});
}

std::uint32_t Reader::scan_number(std::uint32_t from) const {
  const std::string_view rest = text_.substr(from);
  auto at = [&](std::size_t i) { return i < rest.size() ? rest[i] : '\0'; };
  std::size_t n = 0;
  if (rest.starts_with("0x") && hex_value(at(2)) >= 0) {
    n = 2;
    while (hex_value(at(n)) >= 0) ++n;
  } else {
    while (is_digit(at(n))) ++n;
    if (at(n) == '.' && is_digit(at(n + 1)))
      for (++n; is_digit(at(n));) ++n;
    const std::size_t sign = at(n + 1) == '-' || at(n + 1) == '+' ? 1 : 0;
    if ((at(n) == 'e' || at(n) == 'E') && is_digit(at(n + 1 + sign)))
      for (n += 1 + sign; is_digit(at(n));) ++n;
  }
  const Token t{TokenKind::number, from, static_cast<std::uint32_t>(n)};
  if (continues_name(at(n))) fail(t, fmt::format("'{}' is not a number", shortened(rest.substr(0, n + 1))), "Separate the number from what follows");
  return t.length;
}

std::uint32_t Reader::scan_string(std::uint32_t from) const {
  for (std::uint32_t i = from + 1; i < text_.size() && text_[i] != '\n'; ++i) {
    if (text_[i] == '\\') {
      ++i;
    } else if (text_[i] == '"') {
      return i + 1 - from;
    }
  }
  fail({TokenKind::string, from, 1}, "a quoted text without its end", "Close it with \" on the same line; a line break inside is written \\n");
}

Token Reader::take() {
  const Token t = peek();
  if (next_ + 1 < tokens_.size()) ++next_;
  return t;
}

std::string Reader::shown(const Token& t) const { return shortened(spelled(t)); }

bool Reader::is(std::string_view what, std::size_t ahead) const {
  const Token& t = peek(ahead);
  return (t.kind == TokenKind::symbol || t.kind == TokenKind::name) && spelled(t) == what;
}

bool Reader::accept(std::string_view what) {
  if (!is(what)) return false;
  take();
  return true;
}

void Reader::expect(std::string_view what) {
  if (!accept(what)) expected(fmt::format("'{}'", what));
}

std::string Reader::name(std::string_view what) {
  const Token& t = peek();
  if (t.kind == TokenKind::string) return unquoted(take());
  if (t.kind != TokenKind::name) expected(what);
  if (is_reserved(spelled(t))) expected(what, fmt::format("'{}' is a word of the text form: in quotes it is a name", spelled(t)));
  return std::string(spelled(take()));
}

std::string Reader::unquoted(const Token& t) const {
  const std::string_view inside = spelled(t).substr(1, t.length - 2);
  std::string out;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] != '\\') {
      out += inside[i];
      continue;
    }
    const char c = ++i < inside.size() ? inside[i] : '\0';
    if (c == '"' || c == '\\') {
      out += c;
    } else if (c == 'n') {
      out += '\n';
    } else if (c == 't') {
      out += '\t';
    } else if (c == 'x' && i + 2 < inside.size() && hex_value(inside[i + 1]) >= 0 && hex_value(inside[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(inside[i + 1]) * 16 + hex_value(inside[i + 2]));
      i += 2;
    } else {
      fail(t, "an unknown escape in a quoted text", "There are \\\", \\\\, \\n, \\t and \\xHH");
    }
  }
  return out;
}

bool Reader::is_whole(const Token& t) const {
  const std::string_view s = spelled(t);
  return t.kind == TokenKind::number && std::all_of(s.begin(), s.end(), is_digit);
}

std::uint64_t Reader::whole(const Token& t) const {
  std::string_view s = spelled(t);
  int base = 10;
  if (s.starts_with("0x")) {
    s.remove_prefix(2);
    base = 16;
  }
  if (s.starts_with('%')) s.remove_prefix(1);
  std::uint64_t v = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v, base);
  if (error != std::errc{} || end != s.data() + s.size()) fail(t, fmt::format("{} is not a whole number of 64 bits", shown(t)), "Write a smaller one");
  return v;
}

std::int64_t Reader::integer(std::string_view what, std::int64_t low, std::int64_t high) {
  const Token first = peek();
  const bool negative = accept("-");
  if (!is_whole(peek())) expected(what);
  const std::uint64_t magnitude = whole(take());
  const std::uint64_t limit = negative ? std::uint64_t{0} - static_cast<std::uint64_t>(low) : static_cast<std::uint64_t>(high);
  if (magnitude > limit || (negative && low >= 0 && magnitude > 0))
    fail(first, fmt::format("{} is {}{}", what, negative ? "-" : "", magnitude), fmt::format("It is {} to {}", low, high));
  const auto v = static_cast<std::int64_t>(negative ? std::uint64_t{0} - magnitude : magnitude);
  if (v < low) fail(first, fmt::format("{} is {}", what, v), fmt::format("It is {} to {}", low, high));
  return v;
}

double Reader::number(const Token& t) const {
  const std::string_view s = spelled(t);
  double v = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (error != std::errc{} || end != s.data() + s.size())
    fail(t, fmt::format("{} is not a number that f64 can hold", shown(t)), "Write inf, or 0, if that is meant");
  return v;
}

void Reader::fail(const Token& at, const std::string& problem, const std::string& remedy) const {
  std::size_t line = 1, column = 1;
  for (std::size_t i = 0; i < at.offset && i < text_.size(); ++i) {
    ++column;
    if (text_[i] == '\n') {
      ++line;
      column = 1;
    }
  }
  throw ParseError("parse", fmt::format("{}:{}:{}: {}", file_, line, column, problem), remedy, CallSite::current_line());
}

void Reader::expected(std::string_view what, const std::string& remedy) const {
  const Token& t = peek();
  const std::string found = t.kind == TokenKind::end ? "the end of the text" : fmt::format("'{}'", shown(t));
  fail(t, fmt::format("expected {}, found {}", what, found), remedy);
}

Reader::Nesting::Nesting(Reader& reader) : reader_(reader) {
  if (++reader_.depth_ > deepest) {
    --reader_.depth_;
    reader_.fail(reader_.peek(), fmt::format("more than {} brackets inside one another", deepest), "Give names to parts of the expression: { t0 = ...; ... }");
  }
}

bool begins_number(const Reader& r, std::size_t ahead) {
  if (r.is("-", ahead)) ++ahead;
  return r.peek(ahead).kind == TokenKind::number || r.is("inf", ahead) || r.is("nan", ahead);
}

Number read_number(Reader& r) {
  Number n;
  n.negative = r.accept("-");
  if (r.accept("inf")) {
    n.value = std::numeric_limits<double>::infinity();
  } else if (r.accept("nan")) {
    n.value = std::numeric_limits<double>::quiet_NaN();
    if (r.is("(") && r.peek(1).kind == TokenKind::number) {
      r.take();
      const Token bits = r.take();
      n.value = std::bit_cast<double>(r.whole(bits));
      if (n.value == n.value) r.fail(bits, fmt::format("{} are not the bits of a NaN", r.shown(bits)), "Write nan");
      r.expect(")");
    }
  } else if (r.is_whole(r.peek())) {
    const Token t = r.take();
    n.value = r.number(t);
    const std::string_view digits = r.spelled(t);
    n.whole = std::from_chars(digits.data(), digits.data() + digits.size(), n.magnitude).ec == std::errc{};
    const std::uint64_t limit = (std::uint64_t{1} << 63) - (n.negative ? 0 : 1);
    n.fits_int64 = n.whole && n.magnitude <= limit;
    if (n.fits_int64) n.integer = static_cast<std::int64_t>(n.negative ? std::uint64_t{0} - n.magnitude : n.magnitude);
  } else if (r.peek().kind == TokenKind::number) {
    n.value = r.number(r.take());
  } else {
    r.expected("a number");
  }
  if (n.negative) n.value = -n.value;
  return n;
}

}  // namespace cotan::text_form
