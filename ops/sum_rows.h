// The language in which rows of sums.def and reductions.def are written, and the tables as values.
//
// A row sees its operands as types only, declares domain indices, and says what is read where:
//
//     Index n(x.shape[0]);
//     return sum({n.size}, {n}, x(n, t.entry(n)));          // out[n] = x[n, t[n]]
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/dtype.h"
#include "ops/options.h"
#include "ops/sizes.h"
#include "ops/sum_spec.h"

namespace cotan {

// A sum of a row's operands, before normal form. Factors and tables are operands' numbers.
struct SumDef {
  Shape shape;
  SumSpec spec;
  std::vector<int> factors;
  std::vector<int> tables;
  std::vector<std::int64_t> table_below;  // what each table's entries must stay below, since they index a dimension; 0: unchecked
};

namespace rows {

struct OperandType {
  DType dtype = DType::f32;
  Shape shape;
};

// The domain of the row being evaluated on this thread.
class Scope {
 public:
  Scope();
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  static Scope& open();

  Domain domain;
  std::vector<int> tables;

 private:
  Scope* outer_;
};

// A fresh index of the domain. Throws Error for a size that no dimension has.
struct Index : IndexExpr {
  explicit Index(std::int64_t size);
  std::int64_t size;
};

// A fresh index for each dimension: the access that reads all of a tensor of this shape in place.
[[nodiscard]] Access each(const Shape& shape);

struct Factor {
  int operand;
  Access at;
};

struct Product {
  double coefficient = 1;
  std::vector<Factor> factors;
  std::vector<Guard> guards;
};

// An operand inside a row: its type, and how to read it.
struct Operand {
  int number;
  DType dtype;
  Shape shape;

  template <class... E>
  [[nodiscard]] Product operator()(const E&... at) const {
    return this->at(Access{IndexExpr(at)...});
  }
  [[nodiscard]] Product at(Access access) const { return {1, {{number, std::move(access)}}, {}}; }
  // The integer stored there, as an index expression.
  template <class... E>
  [[nodiscard]] IndexExpr entry(const E&... at) const {
    return entry_at(Access{IndexExpr(at)...});
  }
  [[nodiscard]] IndexExpr entry_at(Access access) const;
};

[[nodiscard]] Product operator*(Product a, const Product& b);
[[nodiscard]] Product operator*(double k, Product a);
[[nodiscard]] Product when(Product p, IndexExpr expression, std::int64_t below);  // only where 0 <= expression < below

// Throws InternalError where an access does not fit its tensor, the output's included, and Error where a table with entries indexes a dimension of size 0.
[[nodiscard]] SumDef sum(Shape shape, Access output, Product product, std::span<const Operand> operands);
// The reduction of x over the indices that follow the first `outputs` ones.
[[nodiscard]] ReduceSpec reduce_over(Reduction reduction, int outputs, const Operand& x, Access at);

// Throws Error with the row's name unless ok.
void require(bool ok, const std::function<std::string()>& problem, const char* remedy);
// The sizes of an operand that must have N dimensions.
void require_rank(const Operand& x, std::string_view what, std::size_t rank);

// An operand of a test case, of which tests draw the values.
struct CaseOperand {
  enum class Kind : std::uint8_t { values, indices, booleans, absent };
  Kind kind = Kind::values;
  Shape shape;
  double low = -1, high = 1;  // values: in [low, high)
  std::int64_t below = 0;     // indices: i32, in [0, below)

  // The type that the operand has where floating values are of type `floating`.
  [[nodiscard]] DType dtype(DType floating) const { return kind == Kind::indices ? DType::i32 : kind == Kind::booleans ? DType::boolean : floating; }
};
// Floating values in [low, high).
inline CaseOperand values(Shape shape, double low = -1, double high = 1) { return {CaseOperand::Kind::values, shape, low, high, 0}; }
// Integers in [0, below).
inline CaseOperand indices(Shape shape, std::int64_t below) { return {CaseOperand::Kind::indices, shape, 0, 0, below}; }
// Conditions.
inline CaseOperand booleans(Shape shape) { return {CaseOperand::Kind::booleans, shape, 0, 0, 0}; }
// An optional operand that is left out.
inline CaseOperand absent() { return {CaseOperand::Kind::absent, {}, 0, 0, 0}; }

}  // namespace rows

// A row of a table with options applied: what tests and goldens go through.
template <class Def>
struct RowCase {
  Attributes attributes;
  std::vector<rows::CaseOperand> operands;
  std::function<Def(std::span<const rows::OperandType>)> define;
  std::string error;  // for a bad case: what the message must contain
};

template <class Def>
struct Row {
  std::string_view name;
  std::string_view description;
  std::vector<std::string_view> operands;
  std::string_view oracle;  // the same in PyTorch, over operands and options by name
  Attributes defaults;      // of the options
  std::vector<RowCase<Def>> (*cases)();
  std::vector<RowCase<Def>> (*bad_cases)();
};

using SumRow = Row<SumDef>;
using ReduceRow = Row<ReduceSpec>;
[[nodiscard]] std::span<const SumRow> sum_rows();
[[nodiscard]] std::span<const ReduceRow> reduce_rows();

}  // namespace cotan
