#include "graph/text/words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "ops/attributes.h"
#include "ops/formula.h"

namespace cotan::text_form {
namespace {

constexpr std::string_view reserved[] = {"amax", "amin", "argmax", "argmin", "body", "call",   "data",   "false", "func",  "inf",
                                         "map",  "max",  "min",    "nan",    "none", "return", "scalar", "true",  "using", "var"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

bool is_reserved(std::string_view word) { return std::find(std::begin(reserved), std::end(reserved), word) != std::end(reserved); }
bool begins_name(char c) { return is_letter(c); }
bool continues_name(char c) { return is_letter(c) || is_digit(c) || c == '.'; }

std::string name_text(std::string_view name) {
  const bool numbered = name.size() > 1 && name[0] == '#' && is_digit(name[1]);
  const std::string_view rest = numbered ? name.substr(1) : name;
  const bool plain = !rest.empty() && (numbered || begins_name(rest[0])) && std::all_of(rest.begin(), rest.end(), continues_name) && !is_reserved(name);
  return plain ? std::string(name) : quoted(name);
}

std::string shortened(std::string_view word, std::size_t most) {
  return word.size() <= most ? std::string(word) : fmt::format("{}...", word.substr(0, most));
}

std::string shown_name(std::string_view name) { return shortened(name_text(name)); }

std::string type_text(DType dtype, const Shape& shape) { return fmt::format("{}[{}]", name_of(dtype), fmt::join(shape, ",")); }

std::string literal_of(double value, DType dtype) {
  if (std::isnan(value)) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    return bits == std::bit_cast<std::uint64_t>(std::numeric_limits<double>::quiet_NaN()) ? "nan" : fmt::format("nan(0x{:x})", bits);
  }
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (dtype == DType::boolean && (value == 0 || value == 1) && !std::signbit(value)) return value != 0 ? "true" : "false";
  if (dtype == DType::f32) {  // as few digits as a float needs, where rounding them twice gives the same
    std::string text = fmt::format("{}", static_cast<float>(value));
    double back = 0;
    std::from_chars(text.data(), text.data() + text.size(), back);
    if (std::bit_cast<std::uint64_t>(round_to(DType::f32, back)) == std::bit_cast<std::uint64_t>(value)) return text;
  }
  return fmt::format("{}", value);
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  std::size_t fewest = word.size() / 3 + 2;  // at this many it is another word
  if (word.size() > 60) return best;
  for (std::string_view candidate : candidates) {
    const std::size_t n = edits(word, candidate);
    if (n < fewest) {
      fewest = n;
      best = candidate;
    }
  }
  return best;
}

}  // namespace cotan::text_form
