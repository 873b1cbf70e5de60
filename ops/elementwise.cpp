#include "ops/elementwise.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "ops/error.h"
#include "ops/intern.h"
#include "ops/per_thread.h"
#include "ops/row_macros.h"
#include "ops/scalar_forms.h"

namespace cotan {
namespace {

using namespace formula_language;

#define P(name, standard) name
#define DERIVED
#define STATED(...) __VA_ARGS__
#define SMOOTH
#define KINK(at, ...) ElementwiseRow::Kink{false, at, {__VA_ARGS__}},
#define TIE(...) ElementwiseRow::Kink{true, 0, {__VA_ARGS__}},
#define RANGE(low, high) \
  ElementwiseRow::Range { low, high }

// One scope of functions a row, since the names of operands and parameters are the row's own.
#define ELEMENTWISE(name_, operands_, parameters_, value_, derivatives_, samples_, kinks_, oracle_, description_)                                      \
  Ex name_##_value(std::span<const Ex> in, [[maybe_unused]] std::span<const double> given) {                                                           \
    COTAN_BIND(in, COTAN_UNWRAP operands_)                                                                                                             \
    COTAN_BIND(given, COTAN_UNWRAP parameters_)                                                                                                        \
    return value_;                                                                                                                                     \
  }                                                                                                                                                    \
  std::vector<Ex> name_##_stated([[maybe_unused]] std::span<const Ex> in, [[maybe_unused]] Ex value, [[maybe_unused]] std::span<const double> given) { \
    COTAN_BIND(in, COTAN_UNWRAP operands_)                                                                                                             \
    COTAN_BIND(given, COTAN_UNWRAP parameters_)                                                                                                        \
    return {derivatives_};                                                                                                                             \
  }                                                                                                                                                    \
  std::vector<ElementwiseRow::Kink> name_##_kinks([[maybe_unused]] std::span<const double> given) {                                                    \
    COTAN_BIND(given, COTAN_UNWRAP parameters_)                                                                                                        \
    return {kinks_};                                                                                                                                   \
  }
#include "ops/elementwise.def"
#undef ELEMENTWISE
#undef P
#define P(name, standard) \
  ElementwiseRow::Parameter { #name, standard }

// Made when it is first asked for, which may be before main(), and never destroyed.
const std::vector<ElementwiseRow>& rows() {
  static const auto& all = *new std::vector<ElementwiseRow>{
#define ELEMENTWISE(name_, operands_, parameters_, value_, derivatives_, samples_, kinks_, oracle_, description_) \
  {#name_,                                                                                                        \
   description_,                                                                                                  \
   {COTAN_LIST(COTAN_QUOTE, COTAN_UNWRAP operands_)},                                                             \
   {COTAN_UNWRAP parameters_},                                                                                    \
   name_##_value,                                                                                                 \
   name_##_stated,                                                                                                \
   {COTAN_UNWRAP samples_},                                                                                       \
   name_##_kinks},
#include "ops/elementwise.def"
#undef ELEMENTWISE
  };
  return all;
}

FormulaRef build(const ElementwiseRow& row, std::span<const DType> operands, std::span<const double> parameters) {
  const SpokenAs public_name(row.name);
  DType common = operands.back();  // literals of a row take the type of its last operand: the only one, or not the condition
  // Types that differ are another mistake, but a condition's beside those of its branches.
  if (std::all_of(operands.begin(), operands.end(), [&](DType d) { return d == common || (d == DType::boolean && operands.size() > 2); }))
    require_computed(row.name, common);
  FormulaRef plain = make_formula(
      operands, [&](std::span<const Ex> x) { return row.value(x, parameters); }, common);
  Formula f = *plain;
  f.row = row.name;
  for (std::size_t i = 0; i < row.parameters.size(); ++i) f.attributes.set(std::string(row.parameters[i].name), parameters[i]);
  if (!is_floating(f.dtype())) return interned(std::move(f));
  std::vector<DType> with_value(operands.begin(), operands.end());
  with_value.push_back(f.dtype());
  for (std::size_t k = 0; k < operands.size(); ++k) {
    bool stated = false;
    FormulaRef d = make_formula(
        with_value,
        [&](std::span<const Ex> x) -> Ex {
          const std::vector<Ex> all = row.stated(x.first(operands.size()), x.back(), parameters);
          stated = k < all.size();
          return stated ? all[k] : Ex(0);
        },
        common);
    f.derivatives.push_back(stated ? d : nullptr);
  }
  return interned(std::move(f));
}

}  // namespace

std::span<const ElementwiseRow> elementwise_rows() { return rows(); }

const ElementwiseRow* find_elementwise(std::string_view name) {
  for (const ElementwiseRow& row : rows())
    if (row.name == name) return &row;
  return nullptr;
}

FormulaRef formula_of(ElementwiseId id, std::span<const DType> operands, std::span<const double> parameters) {
  if (!parameters.empty() || operands.size() > 3) return formula_of(rows()[static_cast<std::size_t>(id)], operands, parameters);
  // The usual case, on every recording of an operation: a table by row and types.
  constexpr std::size_t types = dtype_count();
  auto& cache = per_thread<std::vector<FormulaRef>>([] { return std::vector<FormulaRef>(elementwise_rows().size() * types * types * types); });
  std::size_t at = static_cast<std::size_t>(id);
  for (std::size_t k = 0; k < 3; ++k) at = at * types + (k < operands.size() ? static_cast<std::size_t>(operands[k]) : 0);
  if (!cache[at]) cache[at] = build(rows()[static_cast<std::size_t>(id)], operands, parameters);
  return cache[at];
}

FormulaRef formula_of(const ElementwiseRow& row, std::span<const DType> operands, std::span<const double> parameters) {
  if (operands.size() != row.operands.size() || parameters.size() != row.parameters.size())
    throw InternalError(fmt::format("row {} with {} operands and {} parameters", row.name, operands.size(), parameters.size()));
  return build(row, operands, parameters);
}

}  // namespace cotan
