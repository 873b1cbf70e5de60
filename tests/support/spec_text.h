// Specifications of sums as text, for messages.
#pragma once

#include <fmt/format.h>

#include <string>

#include "ops/sum_spec.h"

namespace cotan::testing {

[[nodiscard]] inline std::string spec_text(const Access& access);

[[nodiscard]] inline std::string spec_text(const IndexExpr& e) {
  std::string text;
  for (const IndexTerm& t : e.terms) {
    const std::string atom = t.index >= 0 ? fmt::format("i{}", t.index) : fmt::format("t{}{}", t.table, spec_text(t.at));
    text += t.coefficient == 1 ? fmt::format("+{}", atom) : fmt::format("{:+}*{}", t.coefficient, atom);
  }
  if (text.empty() || e.constant != 0) text += fmt::format("{:+}", e.constant);
  return text;
}

// "[i0, 2*i1-1]"
[[nodiscard]] inline std::string spec_text(const Access& access) {
  std::string text = "[";
  for (std::size_t d = 0; d < access.size(); ++d) text += fmt::format("{}{}", d == 0 ? "" : ", ", spec_text(access[d]));
  return fmt::format("{}]", text);
}

[[nodiscard]] inline std::string spec_text(const SumSpec& s) {
  std::string text = fmt::format("domain ({}) out{} = {}", fmt::join(s.domain, ", "), spec_text(s.output), s.coefficient);
  for (const Access& a : s.factors) text += fmt::format(" * x{}", spec_text(a));
  for (const Guard& g : s.guards) text += fmt::format("; 0 <= {} < {}", spec_text(g.expression), g.below);
  return text;
}

}  // namespace cotan::testing
