// Building nodes: one function for each kind, and one for each row of the tables of operations.
//
// The first part takes specifications as they are: operands' shapes must fit exactly (a fault otherwise). The second part is what programs are recorded with:
// functions named as the rows, over Refs, which check, broadcast and report mistakes as Error under the innermost call site's name and line.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/node.h"
#include "ops/elementwise.h"
#include "ops/row_define.h"
#include "ops/row_macros.h"

namespace cotan::graph {

// ---- leaves

// A function's parameter; equal names, types and shapes are one node.
[[nodiscard]] Ref parameter(std::string name, DType dtype, const Shape& shape);
// The integers 0, 1, 2, ... along an axis (also as floats).
[[nodiscard]] Ref iota(DType dtype, const Shape& shape, int axis);
// A C++ number as an operand: read at run time, not part of the structure. Rank 0.
[[nodiscard]] Ref scalar(double value, DType dtype);
// Uniform numbers in [0, 1): Philox 4x32-10 of key and counter, one 32-bit word an element (two for f64).
[[nodiscard]] Ref random(std::uint64_t key, std::uint64_t counter, DType dtype, const Shape& shape);
// A tensor with a value, or a version of a variable; `payload` is the owner's.
[[nodiscard]] Ref leaf(LeafRole role, std::string name, DType dtype, const Shape& shape, std::shared_ptr<void> payload);

// ---- kinds

// formula over operands that all have this shape. Duplicate operands are merged, unused ones dropped.
[[nodiscard]] Ref map(const FormulaRef& formula, std::span<const Ref> operands, const Shape& shape);
[[nodiscard]] inline Ref map(const FormulaRef& formula, std::initializer_list<Ref> operands, const Shape& shape) {
  return map(formula, std::span(operands.begin(), operands.size()), shape);
}
// The same value everywhere.
[[nodiscard]] Ref fill(double value, DType dtype, const Shape& shape);
// An indexed sum, brought into normal form. `dtype` matters only where there is no factor.
[[nodiscard]] Ref sum(SumSpec spec, const Shape& shape, std::span<const Ref> factors, std::span<const Ref> tables = {}, DType dtype = DType::f32);
// The same with its factors in the order in which they are given: a sum that stands for another one, with other operands, and rounds as that one does.
[[nodiscard]] Ref sum_in_order(SumSpec spec, const Shape& shape, std::span<const Ref> factors, std::span<const Ref> tables, DType dtype);
// A sum whose specification is interned and in normal form for these operands (factors, then tables).
[[nodiscard]] Ref record_sum(const SumSpecRef& spec, const ResultType& type, std::span<const Ref> operands);
[[nodiscard]] Ref reduce(const ReduceSpec& spec, const Ref& x);
[[nodiscard]] Ref scan(const Ref& a, const Ref& b, int axis, bool reverse);
[[nodiscard]] Ref order(const Ref& x, int axis, bool descending);
[[nodiscard]] Ref cast(const Ref& x, DType dtype);
[[nodiscard]] Ref stop_gradient(const Ref& x);
// x itself, as another value than x: what is computed from it is not merged with what is computed from x, and not before `after` is there.
[[nodiscard]] Ref barrier(const Ref& x, const Ref& after);
// x, once it is known that 0 <= every entry < below. `what` names x in the error.
[[nodiscard]] Ref check(const Ref& x, std::int64_t below, std::string what, std::string remedy = "");
// All results of a named composite. The body's parameters fit the operands.
[[nodiscard]] std::vector<Ref> call(std::string name, Attributes attributes, std::span<const Ref> operands, std::shared_ptr<const Function> body);

// A function of parameters #0, #1, ... typed like `operands`; `body` builds its results from them.
[[nodiscard]] std::shared_ptr<const Function> make_function(std::string name, std::span<const Ref> operands,
                                                            const std::function<std::vector<Ref>(std::span<const Ref>)>& body);

// The node again with other operands (same types): how rewriting and inlining rebuild a graph.
[[nodiscard]] std::vector<Ref> rebuild(const Node& node, std::span<const Ref> operands);
// `roots` with some results replaced, everything between rebuilt. Never recurses.
[[nodiscard]] std::vector<Ref> substitute(std::span<const Ref> roots, std::span<const std::pair<Ref, Ref>> replacements);

// ---- what operations are recorded with

// NumPy's broadcast, explicit: x itself where the shape is the same.
[[nodiscard]] Ref broadcast(const Ref& x, const Shape& shape);
// An elementwise row: operands broadcast to their common shape.
[[nodiscard]] Ref elementwise(ElementwiseId row, std::span<const Ref> operands, std::span<const double> parameters = {});
// A formula of one's own over operands that broadcast.
[[nodiscard]] Ref formula(std::span<const Ref> operands, const std::function<Ex(std::span<const Ex>)>& body);
[[nodiscard]] inline Ref formula(std::initializer_list<Ref> operands, const std::function<Ex(std::span<const Ex>)>& body) {
  return formula(std::span(operands.begin(), operands.size()), body);
}
// A sum row's definition on these operands; tables are checked first.
[[nodiscard]] Ref from_definition(const SumDef& definition, std::span<const Ref> operands);
// Types of operands, as rows see them.
[[nodiscard]] std::vector<rows::OperandType> types_of(std::span<const Ref> operands);

#define COTAN_REF_PARAMETER(name) const Ref& name
#define COTAN_TRAILING(...) __VA_OPT__(, ) __VA_ARGS__
#define P(name, standard) double name = standard
#define ELEMENTWISE(name_, operands_, parameters_, ...) \
  [[nodiscard]] Ref name_(COTAN_LIST(COTAN_REF_PARAMETER, COTAN_UNWRAP operands_) COTAN_TRAILING parameters_);
#include "ops/elementwise.def"
#undef ELEMENTWISE
#undef P
#define SUM(name_, Options_, operands_, ...) [[nodiscard]] Ref name_(COTAN_LIST(COTAN_REF_PARAMETER, COTAN_UNWRAP operands_), const Options_& options = {});
#define REDUCE SUM
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef SUM
#undef COTAN_TRAILING
#undef COTAN_REF_PARAMETER

}  // namespace cotan::graph
