// Scalar formulas: what a map node computes for each element.
//
// A formula is a small graph over operands, constants and the atoms of atoms.def, written as C++ expressions over `Ex`:
//
//     FormulaRef f = make_formula({f32, f32}, [](std::span<const Ex> x) { return x[0] * exp(-x[1]); });
//
// Every node has a dtype; only literals adapt to what they meet. Building shares equal subexpressions and folds literals and the identities that are exact in
// floating point (1*x, -(-x), where(c, x, x)); anything else is the compiler's business. A formula is immutable and interned: equal formulas are one object.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ops/attributes.h"
#include "ops/dtype.h"

namespace cotan {

enum class Atom : std::uint8_t {
  operand,   // the map's operand number `a`
  constant,  // the value `literal`
  where,     // a ? b : c
  cast,      // a, converted to the node's dtype
#define ATOM(name, ...) name,
#include "ops/atoms.def"
#undef ATOM
};

[[nodiscard]] std::string_view name_of(Atom atom);
// The number of operands; 0 for operand and constant.
[[nodiscard]] int arity_of(Atom atom);

struct FormulaNode {
  Atom atom = Atom::constant;
  DType dtype = DType::f32;
  int a = -1, b = -1, c = -1;  // earlier nodes; for Atom::operand, a is the operand's number
  double literal = 0;
  [[nodiscard]] bool operator==(const FormulaNode& other) const;  // literals by their bits
};

class Formula;
using FormulaRef = std::shared_ptr<const Formula>;

class Formula {
 public:
  std::string row;                      // the elementwise row that made it, or "" for an anonymous formula
  Attributes attributes;                // the row's parameters
  std::vector<DType> operands;          // what each operand holds
  std::vector<FormulaNode> nodes;       // in order; the last one is the value
  std::vector<FormulaRef> derivatives;  // stated by the row: by each operand, over (operands..., value); null entries or empty: derived

  [[nodiscard]] DType dtype() const { return nodes.back().dtype; }
  [[nodiscard]] std::uint64_t hash() const;
  bool operator==(const Formula& other) const;
};

// A value inside the formula being built on this thread: an expression, or a literal that has not met a type yet.
class Ex {
 public:
  Ex(double literal) : literal_(literal) {}  // NOLINT: literals are written plainly
  Ex(int literal) : literal_(literal) {}     // NOLINT
  Ex(bool) = delete;
  [[nodiscard]] static Ex node(int id) {
    Ex e(0.0);
    e.id_ = id;
    return e;
  }

  [[nodiscard]] bool is_literal() const { return id_ < 0; }
  [[nodiscard]] double literal() const { return literal_; }
  [[nodiscard]] int id() const { return id_; }
  // True for a literal, or a constant node, of exactly this value.
  [[nodiscard]] bool is(double value) const;

 private:
  int id_ = -1;
  double literal_ = 0;
};

// Puts an atom into the formula being built. Throws Error where the operands' types do not fit the atom.
[[nodiscard]] Ex apply(Atom atom, std::span<const Ex> operands);
[[nodiscard]] Ex where(Ex condition, Ex a, Ex b);
[[nodiscard]] Ex cast(Ex x, DType dtype);
[[nodiscard]] Ex typed(Ex x, DType dtype);  // a literal as a constant of that type; anything else as it is
[[nodiscard]] DType dtype_of(Ex x);         // of a node, not of a literal

// Inside a formula: the type of where(c, 1, 0), whose branches are both literals. make_formula opens one with its literal_dtype.
class LiteralScope {
 public:
  explicit LiteralScope(DType dtype);
  ~LiteralScope();
  LiteralScope(const LiteralScope&) = delete;
  LiteralScope& operator=(const LiteralScope&) = delete;

 private:
  DType outer_;
};

#define COTAN_ATOM_1(name)             \
  [[nodiscard]] inline Ex name(Ex a) { \
    const Ex in[] = {a};               \
    return apply(Atom::name, in);      \
  }
#define COTAN_ATOM_2(name)                   \
  [[nodiscard]] inline Ex name(Ex a, Ex b) { \
    const Ex in[] = {a, b};                  \
    return apply(Atom::name, in);            \
  }
// While one lives, mistakes in formulas are reported under a row's public name: "'gt' of bool", although gt is made of the atom lt.
class SpokenAs {
 public:
  explicit SpokenAs(std::string_view row);
  ~SpokenAs();
  SpokenAs(const SpokenAs&) = delete;
  SpokenAs& operator=(const SpokenAs&) = delete;

 private:
  std::string_view outer_;
};

// Inside formulas only: the atoms as functions of Ex, and C++'s operators on top of them.
namespace formula_language {
using cotan::cast;
using cotan::where;
#define ATOM(name, arity, ...) COTAN_ATOM_##arity(name)
#include "ops/atoms.def"
#undef ATOM
inline Ex operator-(Ex a) { return neg(a); }
inline Ex operator+(Ex a, Ex b) { return add(a, b); }
inline Ex operator-(Ex a, Ex b) { return add(a, neg(b)); }
inline Ex operator*(Ex a, Ex b) { return mul(a, b); }
inline Ex operator/(Ex a, Ex b) { return div(a, b); }
inline Ex operator<(Ex a, Ex b) { return lt(a, b); }
inline Ex operator>(Ex a, Ex b) { return lt(b, a); }
inline Ex operator<=(Ex a, Ex b) { return le(a, b); }
inline Ex operator>=(Ex a, Ex b) { return le(b, a); }
inline Ex operator&&(Ex a, Ex b) { return and_(a, b); }
inline Ex operator||(Ex a, Ex b) { return or_(a, b); }
inline Ex operator!(Ex a) { return eq(a, 0); }
}  // namespace formula_language
#undef COTAN_ATOM_1
#undef COTAN_ATOM_2

// Builds a formula of operands of these types. `body` gets one Ex for each operand. `literal_dtype` types a value that is a bare literal.
[[nodiscard]] FormulaRef make_formula(std::span<const DType> operands, const std::function<Ex(std::span<const Ex>)>& body, DType literal_dtype = DType::f32);
[[nodiscard]] inline FormulaRef make_formula(std::initializer_list<DType> operands, const std::function<Ex(std::span<const Ex>)>& body,
                                             DType literal_dtype = DType::f32) {
  return make_formula(std::span(operands.begin(), operands.size()), body, literal_dtype);
}
// The constant formula (no operands).
[[nodiscard]] FormulaRef constant_formula(double value, DType dtype);

// Copies f into the formula being built, its operands replaced.
[[nodiscard]] Ex inlined(const Formula& f, std::span<const Ex> operands);
// The node behind an expression that is not a literal.
[[nodiscard]] FormulaNode node_at(Ex x);

// The partial derivative of f by operand k as a formula over (operands..., value of f), or null where it is structurally zero (integers and booleans, floor,
// comparisons, an unused operand). The row's stated derivative where there is one. Memoised.
[[nodiscard]] FormulaRef derivative(const FormulaRef& f, int k);
// The same, always from the atoms.
[[nodiscard]] FormulaRef derived_derivative(const FormulaRef& f, int k);

// The value of one atom on doubles, rounded to dtype; integers and booleans are held exactly, those of i64 up to 2^53.
[[nodiscard]] double apply_atom(Atom atom, DType dtype, double a, double b, double c);
// v as dtype can hold it: floats rounded to nearest, float to integer truncated and clamped (NaN gives 0), boolean v != 0. A double stands for the i64 that
// rounds to it: 2^63, which is no i64, for the greatest one.
[[nodiscard]] double round_to(DType dtype, double v);
// Whether the number may stand for an element of that type: integers and booleans must hold it exactly, floats round it.
[[nodiscard]] bool takes_number(DType dtype, double v);
// v without its fraction, the nearest i64 where it is out of range, 0 for NaN.
[[nodiscard]] std::int64_t whole_number(double v);
// The integer of that type which has these low bits, as two's complement counts.
[[nodiscard]] double wrapped(DType dtype, std::uint64_t bits);
// The remedy where two types meet: the casts that bring them together.
[[nodiscard]] std::string casts_to_write(DType a, DType b);
// Throws Error, naming the type and the cast to write, where `what` is asked to compute with a type that is for storage only.
void require_computed(std::string_view what, DType dtype);
// The value of f at one point. With `exact`, f32 is not rounded: the whole formula runs in float64. `scratch` is reused between calls. Where the thread's
// floating-point mode takes subnormal numbers for zeros (ops/float_mode.h), operands, literals and the value of every atom are flushed() to their types.
[[nodiscard]] double evaluate(const Formula& f, std::span<const double> operands, std::vector<double>& scratch, bool exact);

}  // namespace cotan
