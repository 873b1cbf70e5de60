#include "graph/sums/masks.h"

#include <algorithm>
#include <limits>

#include "graph/builder.h"
#include "ops/float_mode.h"

namespace cotan::sums {
namespace {

using namespace formula_language;

constexpr std::int64_t most_position = std::numeric_limits<std::int32_t>::max();

// A sum whose output's dimensions are its indices, but for at most one that a table's entry names.
struct Form {
  std::vector<IndexExpr> to;  // each index as the output's dimension
  int entry = -1;             // the dimension that the table's entry names
};

std::optional<Form> form_of(const OpenSum& sum) {
  Form form{std::vector<IndexExpr>(sum.spec.domain.size(), IndexExpr(-1)), -1};
  std::size_t found = 0;
  for (std::size_t d = 0; d < sum.spec.output.size(); ++d) {
    const IndexExpr& e = sum.spec.output[d];
    if (sum.type.shape[d] == 1 && e == IndexExpr(0)) continue;
    const int i = e.plain();
    if (i >= 0) {
      IndexExpr& to = form.to[static_cast<std::size_t>(i)];
      if (sum.spec.domain[static_cast<std::size_t>(i)] != sum.type.shape[d] || !to.terms.empty()) return std::nullopt;
      to = index_of(static_cast<int>(d));
      ++found;
      continue;
    }
    if (form.entry >= 0 || e.constant != 0 || e.terms.size() != 1 || e.terms[0].index >= 0 || e.terms[0].coefficient != 1) return std::nullopt;
    form.entry = static_cast<int>(d);
  }
  if (found != form.to.size()) return std::nullopt;
  return form;
}

// Builds the map's operands, each a view of the whole shape, and its formula.
class Mask {
 public:
  Mask(const OpenSum& sum, Form form) : sum_(sum), form_(std::move(form)) {
    for (std::size_t d = 0; d < sum.type.shape.rank(); ++d) {
      each_.push_back(index_of(static_cast<int>(d)));
      domain_.push_back(sum.type.shape[d]);
    }
  }

  std::optional<Ref> run() {
    if (form_.entry >= 0 ? !add_entry() : !add_guards()) return std::nullopt;
    if (!sum_.factors.empty()) {
      const auto value = whole(sum_.factors[0], sum_.spec.factors[0]);
      if (!value) return std::nullopt;
      operands_.push_back(*value);
    }
    std::vector<DType> types;
    for (const Ref& r : operands_) types.push_back(r.dtype());
    const FormulaRef f = make_formula(types, [&](std::span<const Ex> x) {
      Ex holds = conditions_[0](x);
      for (std::size_t k = 1; k < conditions_.size(); ++k) holds = holds && conditions_[k](x);
      Ex value = typed(Ex(sum_.spec.coefficient), sum_.type.dtype);
      if (!sum_.factors.empty()) value = sum_.spec.coefficient == 1 ? x.back() : x.back() * value;
      return where(holds, value, typed(Ex(0), sum_.type.dtype));
    });
    return graph::map(f, operands_, sum_.type.shape);
  }

 private:
  using Condition = std::function<Ex(std::span<const Ex>)>;

  // The tensor at an access, for every entry of the output; nothing where it would be read outside.
  std::optional<Ref> whole(const Ref& tensor, const Access& access) {
    Access read;
    for (std::size_t d = 0; d < access.size(); ++d) {
      read.push_back(substitute(access[d], form_.to));
      if (!in_range(read.back(), tensor.shape()[d], domain_)) return std::nullopt;
    }
    return closed({{1, domain_, each_, {std::move(read)}, {}}, {tensor}, {}, {tensor.dtype(), sum_.type.shape}});
  }

  Ref positions(int dimension, DType dtype) {
    const Ref along = graph::iota(dtype, {sum_.type.shape[static_cast<std::size_t>(dimension)]}, 0);
    return closed({{1, domain_, each_, {{index_of(dimension)}}, {}}, {along}, {}, {dtype, sum_.type.shape}});
  }

  std::size_t operand(const Ref& r) {
    const auto at = static_cast<std::size_t>(std::find(operands_.begin(), operands_.end(), r) - operands_.begin());
    if (at == operands_.size()) operands_.push_back(r);
    return at;
  }

  bool add_entry() {
    const IndexTerm& t = sum_.spec.output[static_cast<std::size_t>(form_.entry)].terms[0];
    const Ref& table = sum_.tables[static_cast<std::size_t>(t.table)];
    if (table.dtype() != DType::i32 && table.dtype() != DType::i64) return false;
    const auto entries = whole(table, t.at);
    if (!entries) return false;
    const std::size_t a = operand(positions(form_.entry, table.dtype())), b = operand(*entries);
    conditions_.push_back([a, b](std::span<const Ex> x) { return eq(x[a], x[b]); });
    return true;
  }

  // 0 <= expression < below for each guard, in i32.
  bool add_guards() {
    if (sum_.spec.guards.empty() || sum_.type.shape.elements() > most_position) return false;
    for (const Guard& g : sum_.spec.guards) {
      struct Term {
        std::int64_t coefficient;
        std::size_t operand;
      };
      std::vector<Term> terms;
      double reach = std::abs(static_cast<double>(g.expression.constant)) + std::abs(static_cast<double>(g.below));
      for (const IndexTerm& t : g.expression.terms) {
        reach += std::abs(static_cast<double>(t.coefficient)) * static_cast<double>(sum_.type.shape.elements());
        if (t.index >= 0) {
          terms.push_back({t.coefficient, operand(positions(form_.to[static_cast<std::size_t>(t.index)].terms[0].index, DType::i32))});
          continue;
        }
        const Ref& table = sum_.tables[static_cast<std::size_t>(t.table)];
        const auto entries = table.dtype() == DType::i32 ? whole(table, t.at) : std::nullopt;
        if (!entries || std::abs(t.coefficient) != 1) return false;
        terms.push_back({t.coefficient, operand(*entries)});
      }
      if (terms.empty() || reach > most_position) return false;
      conditions_.push_back([terms, constant = g.expression.constant, below = g.below](std::span<const Ex> x) {
        // Terms with a minus and the constant go to the other side, where an equality has nothing to add up.
        auto side = [&](int sign, std::int64_t start) {
          std::optional<Ex> total;
          for (const Term& t : terms) {
            if (t.coefficient * sign < 0) continue;
            const Ex term = std::abs(t.coefficient) == 1 ? x[t.operand] : x[t.operand] * Ex(static_cast<double>(std::abs(t.coefficient)));
            total = total ? *total + term : term;
          }
          if (start != 0) total = total ? *total + Ex(static_cast<double>(start)) : Ex(static_cast<double>(start));
          return total ? *total : Ex(0);
        };
        const Ex left = side(1, std::max<std::int64_t>(constant, 0)), right = side(-1, std::max<std::int64_t>(-constant, 0));
        if (below == 1) return eq(left, right);
        const Ex end = right + Ex(static_cast<double>(below));
        return (right <= left) && (left < end);
      });
    }
    return true;
  }

  const OpenSum& sum_;
  const Form form_;
  Access each_;
  Domain domain_;
  std::vector<Ref> operands_;
  std::vector<Condition> conditions_;
};

}  // namespace

std::optional<Ref> as_mask(const OpenSum& sum) {
  if (sum.factors.size() > 1 || !is_computed(sum.type.dtype) || sum.type.dtype == DType::boolean) return std::nullopt;
  if (!sum.factors.empty() && sum.spec.coefficient != 1 && !is_floating(sum.type.dtype)) return std::nullopt;
  if (is_subnormal(sum.type.dtype, sum.spec.coefficient)) return std::nullopt;  // a formula's number may be taken for zero, a coefficient is not
  auto form = form_of(sum);
  if (!form || (form->entry >= 0) == !sum.spec.guards.empty()) return std::nullopt;
  return Mask(sum, *std::move(form)).run();
}

}  // namespace cotan::sums
