// Recording operations: rows of the tables as nodes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "graph/builder.h"
#include "graph/scalars.h"
#include "ops/error.h"
#include "ops/hash.h"
#include "ops/intern.h"
#include "ops/per_thread.h"

namespace cotan::graph {
namespace {

// What recording a sum row on operands of certain types comes to: found once, then looked up. The order of the factors depends on how their structures
// compare, so that belongs to the key.
struct Recipe {
  Shape shape;
  SumSpecRef spec;
  std::vector<int> factors, tables;
  std::vector<std::int64_t> table_below;
};

template <class Options>
struct RecipeKey {
  Options options;
  std::vector<rows::OperandType> types;
  std::vector<int> comparisons;

  bool operator==(const RecipeKey& o) const {
    if (comparisons != o.comparisons || types.size() != o.types.size()) return false;
    for (std::size_t i = 0; i < types.size(); ++i)
      if (types[i].dtype != o.types[i].dtype || types[i].shape != o.types[i].shape) return false;
    return options == o.options;
  }
};

template <class Options>
struct RecipeHash {
  std::size_t operator()(const RecipeKey<Options>& key) const {  // options are left to equality: few differ in nothing else
    std::uint64_t h = key.types.size();
    for (const rows::OperandType& t : key.types) h = mix(mix(h, static_cast<std::uint64_t>(t.dtype)), hash_of(std::span<const std::int64_t>(t.shape)));
    for (int c : key.comparisons) h = mix(h, static_cast<std::uint64_t>(c + 1));
    return h;
  }
};

Recipe make_recipe(const SumDef& def, std::span<const Ref> operands) {
  std::vector<std::uint64_t> hashes;
  for (int k : def.factors) hashes.push_back(operands[static_cast<std::size_t>(k)]->structure + operands[static_cast<std::size_t>(k)].result());
  NormalSum normal = normal_form(def.spec, hashes);
  Recipe recipe{def.shape, interned(std::move(normal.spec)), {}, {}, {}};
  for (int k : normal.factors) recipe.factors.push_back(def.factors[static_cast<std::size_t>(k)]);
  for (int t : normal.tables) {
    recipe.tables.push_back(def.tables[static_cast<std::size_t>(t)]);
    recipe.table_below.push_back(def.table_below[static_cast<std::size_t>(t)]);
  }
  return recipe;
}

Ref record_recipe(const Recipe& recipe, std::span<const Ref> operands) {
  std::array<Ref, 8> few;
  std::vector<Ref> many(recipe.factors.size() + recipe.tables.size() > few.size() ? recipe.factors.size() + recipe.tables.size() : 0);
  const std::span<Ref> in = many.empty() ? std::span<Ref>(few).first(recipe.factors.size() + recipe.tables.size()) : std::span<Ref>(many);
  const std::span<Ref> factors = in.first(recipe.factors.size()), tables = in.subspan(recipe.factors.size());
  for (std::size_t k = 0; k < factors.size(); ++k) factors[k] = operands[static_cast<std::size_t>(recipe.factors[k])];
  for (std::size_t t = 0; t < tables.size(); ++t) {
    const Ref& table = operands[static_cast<std::size_t>(recipe.tables[t])];
    tables[t] = recipe.table_below[t] > 0 ? check(table, recipe.table_below[t], "index") : table;
  }
  const DType dtype = factors.empty() ? DType::f32 : factors[0].dtype();
  for (const Ref& factor : factors)
    if (factor.dtype() != dtype)
      fail(fmt::format("operands of types {} and {}", name_of(dtype), name_of(factor.dtype())), casts_to_write(dtype, factor.dtype()));
  if (!is_floating(dtype) && (recipe.spec->coefficient != 1 && recipe.spec->coefficient != -1))
    fail(fmt::format("a scaled sum of {}", name_of(dtype)), "Cast it to f32 first");
  for (std::size_t t = 1; t < tables.size(); ++t)  // one tensor given as two tables: the normal form has it once
    if (std::find(tables.begin(), tables.begin() + static_cast<std::ptrdiff_t>(t), tables[t]) != tables.begin() + static_cast<std::ptrdiff_t>(t))
      return sum(*recipe.spec, recipe.shape, factors, tables, dtype);
  return record_sum(recipe.spec, {dtype, recipe.shape}, in);
}

template <class Options>
Ref record(const char* name, SumDef (*define)(const Options&, std::span<const rows::OperandType>), const Options& options, std::span<const Ref> operands) {
  const CallSite site(name, {});
  if (const auto results = with_scalars_as_vectors(operands, options, [&](std::span<const Ref> in) { return std::vector{record(name, define, options, in)}; }))
    return results->front();
  auto& recipes = per_thread<std::unordered_map<RecipeKey<Options>, Recipe, RecipeHash<Options>>>([] {});
  RecipeKey<Options> key{options, types_of(operands), {}};
  for (std::size_t i = 0; i < operands.size(); ++i)
    for (std::size_t j = i + 1; j < operands.size(); ++j) {
      const std::uint64_t a = operands[i]->structure + operands[i].result(), b = operands[j]->structure + operands[j].result();
      key.comparisons.push_back(a < b ? -1 : a > b ? 1 : 0);
    }
  auto found = recipes.find(key);
  if (found == recipes.end()) {
    if (recipes.size() > 256) recipes.clear();
    Recipe recipe = make_recipe(define(options, key.types), operands);
    found = recipes.emplace(std::move(key), std::move(recipe)).first;
  }
  return record_recipe(found->second, operands);
}

template <class Options>
Ref record(const char* name, ReduceSpec (*define)(const Options&, std::span<const rows::OperandType>), const Options& options, std::span<const Ref> operands) {
  const CallSite site(name, {});
  return reduce(define(options, types_of(operands)), operands.front());
}

}  // namespace

std::vector<rows::OperandType> types_of(std::span<const Ref> operands) {
  std::vector<rows::OperandType> types;
  types.reserve(operands.size());
  for (const Ref& r : operands) types.push_back({r.dtype(), r.shape()});
  return types;
}

Ref from_definition(const SumDef& definition, std::span<const Ref> operands) { return record_recipe(make_recipe(definition, operands), operands); }

Ref broadcast(const Ref& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return broadcast_to(x, {.size = Sizes(shape.begin(), shape.end())});
}

namespace {

Ref broadcast_map(const FormulaRef& f, std::span<const Ref> operands) {
  bool same = true;
  for (std::size_t k = 1; k < operands.size(); ++k) same &= operands[k].shape() == operands[0].shape();
  if (same) return map(f, operands, operands[0].shape());
  Shape shape = operands[0].shape();
  for (std::size_t k = 1; k < operands.size(); ++k) shape = broadcast_shapes(shape, operands[k].shape());
  std::array<Ref, 8> in;
  for (std::size_t k = 0; k < operands.size(); ++k) in[k] = broadcast(operands[k], shape);
  return map(f, std::span(in.data(), operands.size()), shape);
}

// The row's formula for these types and parameters. Rows with parameters are recorded with few values, so the last one of each row is kept.
FormulaRef formula_with(ElementwiseId row, std::span<const DType> types, std::span<const double> parameters) {
  if (parameters.empty()) return formula_of(row, types);
  struct Entry {
    std::vector<DType> types;
    std::vector<double> parameters;
    FormulaRef formula;
  };
  auto& last = per_thread<std::vector<Entry>>([] { return std::vector<Entry>(elementwise_rows().size()); });
  Entry& entry = last[static_cast<std::size_t>(row)];
  auto same_bits = [](double a, double b) { return hash_of(a) == hash_of(b); };
  if (!entry.formula || !std::ranges::equal(entry.types, types) || !std::ranges::equal(entry.parameters, parameters, same_bits))
    entry = {{types.begin(), types.end()}, {parameters.begin(), parameters.end()}, formula_of(row, types, parameters)};
  return entry.formula;
}

}  // namespace

Ref elementwise(ElementwiseId row, std::span<const Ref> operands, std::span<const double> parameters) {
  const CallSite site(elementwise_rows()[static_cast<std::size_t>(row)].name, {});
  std::array<DType, 8> types;
  for (std::size_t k = 0; k < operands.size(); ++k) types[k] = operands[k].dtype();
  return broadcast_map(formula_with(row, std::span(types.data(), operands.size()), parameters), operands);
}

Ref formula(std::span<const Ref> operands, const std::function<Ex(std::span<const Ex>)>& body) {
  std::vector<DType> types;
  for (const Ref& r : operands) types.push_back(r.dtype());
  return broadcast_map(make_formula(types, body, types.back()), operands);
}

#define COTAN_REF_PARAMETER(name) const Ref& name
#define COTAN_TRAILING(...) __VA_OPT__(, ) __VA_ARGS__
#define ELEMENTWISE(name_, operands_, parameters_, ...)                                                           \
  Ref name_(COTAN_LIST(COTAN_REF_PARAMETER, COTAN_UNWRAP operands_) COTAN_PARAMETERS(COTAN_UNWRAP parameters_)) { \
    const Ref in[] = {COTAN_UNWRAP operands_};                                                                    \
    return elementwise(ElementwiseId::name_, in COTAN_VALUES(COTAN_UNWRAP parameters_));                          \
  }
#define COTAN_PARAMETERS(...) __VA_OPT__(, COTAN_LIST(COTAN_PARAMETER, __VA_ARGS__))
#define COTAN_PARAMETER(p) COTAN_PARAMETER_##p
#define COTAN_PARAMETER_P(name, standard) double name
#define COTAN_VALUES(...) __VA_OPT__(, std::array{COTAN_LIST(COTAN_VALUE, __VA_ARGS__)})
#define COTAN_VALUE(p) COTAN_VALUE_##p
#define COTAN_VALUE_P(name, standard) name
#include "ops/elementwise.def"
#undef ELEMENTWISE

#define SUM(name_, Options_, operands_, ...)                                                    \
  Ref name_(COTAN_LIST(COTAN_REF_PARAMETER, COTAN_UNWRAP operands_), const Options_& options) { \
    const Ref operands[] = {COTAN_UNWRAP operands_};                                            \
    return record(#name_, &rows::define_##name_, options, std::span<const Ref>(operands));      \
  }
#define REDUCE SUM
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef SUM

}  // namespace cotan::graph
