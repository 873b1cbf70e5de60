// Symbolic derivatives of formulas, from the one table of atoms.
#include <map>
#include <mutex>
#include <optional>

#include "ops/error.h"
#include "ops/formula.h"
#include "ops/intern.h"

namespace cotan {
namespace {

using namespace formula_language;
using Maybe = std::optional<Ex>;  // nothing: a structural zero

// Whether inverse powers of x up to the third may be infinite, or x is NaN. The derivative of x^0 is 0 there as well, which 0 times infinity is not; elsewhere
// it is formed as any other one, so that it has the right derivative by the exponent, 1 / x.
Ex is_tiny(Ex x) {
  const double least = dtype_of(x) == DType::f64 ? 0x1p-340 : 0x1p-42;
  return !(x >= least || x <= -least);
}

struct None {};
Maybe partial(None) { return std::nullopt; }
Maybe partial(Ex e) { return e; }

// The partial derivatives of one atom, as the table writes them.
Maybe by_a(Atom atom, [[maybe_unused]] Ex a, [[maybe_unused]] Ex b, [[maybe_unused]] Ex y) {
  [[maybe_unused]] constexpr None none;
  switch (atom) {
#define ATOM(name, arity, operands, result, value, da, db) \
  case Atom::name: return partial(da);
#include "ops/atoms.def"
#undef ATOM
    default: return std::nullopt;
  }
}

Maybe by_b(Atom atom, [[maybe_unused]] Ex a, [[maybe_unused]] Ex b, [[maybe_unused]] Ex y) {
  [[maybe_unused]] constexpr None none;
  switch (atom) {
#define ATOM(name, arity, operands, result, value, da, db) \
  case Atom::name: return partial(db);
#include "ops/atoms.def"
#undef ATOM
    default: return std::nullopt;
  }
}

Maybe plus(Maybe a, Maybe b) { return a && b ? Maybe(*a + *b) : a ? a : b; }

// d is the derivative of x (if any); the atom's derivative by x multiplies it. A branch that is not taken must not multiply: where(c, p, 0) * d would make NaN
// of 0 * inf, where(c, p * d, 0) does not; the rows' stated forms keep their own branches.
Maybe chain(Maybe outer, Maybe d) {
  if (!outer || !d) return std::nullopt;
  return *outer * *d;
}

Maybe through(const FormulaNode& n, Ex y, const std::vector<Ex>& value, const std::vector<Maybe>& d) {
  if (!is_floating(n.dtype)) return std::nullopt;
  const LiteralScope literals(n.dtype);
  auto V = [&](int i) { return value[static_cast<std::size_t>(i)]; };
  auto D = [&](int i) { return d[static_cast<std::size_t>(i)]; };
  if (n.atom == Atom::cast) return D(n.a) ? Maybe(cast(*D(n.a), n.dtype)) : std::nullopt;
  if (n.atom == Atom::where) {
    if (!D(n.b) && !D(n.c)) return std::nullopt;
    return where(V(n.a), typed(D(n.b).value_or(Ex(0)), n.dtype), typed(D(n.c).value_or(Ex(0)), n.dtype));
  }
  if (arity_of(n.atom) == 0) return std::nullopt;
  const Ex a = V(n.a), b = arity_of(n.atom) > 1 ? V(n.b) : Ex(0);
  const Maybe da = D(n.a), db = arity_of(n.atom) > 1 ? D(n.b) : std::nullopt;
  if (n.atom == Atom::div) {  // one division instead of a product with a reciprocal
    const Maybe first = da ? Maybe(*da / b) : std::nullopt;
    return plus(first, chain(db ? by_b(n.atom, a, b, y) : std::nullopt, db));
  }
  return plus(da ? chain(by_a(n.atom, a, b, y), da) : std::nullopt, db ? chain(by_b(n.atom, a, b, y), db) : std::nullopt);
}

}  // namespace

FormulaRef derived_derivative(const FormulaRef& f, int k) {
  if (!is_floating(f->dtype()) || !is_floating(f->operands[static_cast<std::size_t>(k)])) return nullptr;
  bool zero = false;
  std::vector<DType> operands = f->operands;
  operands.push_back(f->dtype());
  FormulaRef result = make_formula(
      operands,
      [&](std::span<const Ex> x) -> Ex {
        std::vector<Ex> value;
        std::vector<Maybe> d;
        auto V = [&](int i) { return value[static_cast<std::size_t>(i)]; };
        for (std::size_t i = 0; i < f->nodes.size(); ++i) {
          const FormulaNode& n = f->nodes[i];
          const bool last = i + 1 == f->nodes.size();
          switch (n.atom) {
            case Atom::operand:
              value.push_back(x[static_cast<std::size_t>(n.a)]);
              d.push_back(n.a == k ? Maybe(typed(Ex(1), n.dtype)) : std::nullopt);
              continue;
            case Atom::constant: value.push_back(typed(Ex(n.literal), n.dtype)); break;
            default:
              if (last)
                value.push_back(x.back());  // the value itself is an operand of the derivative
              else if (n.atom == Atom::where)
                value.push_back(where(V(n.a), V(n.b), V(n.c)));
              else if (n.atom == Atom::cast)
                value.push_back(cast(V(n.a), n.dtype));
              else {
                const Ex in[] = {V(n.a), arity_of(n.atom) > 1 ? V(n.b) : Ex(0)};
                value.push_back(apply(n.atom, std::span(in, static_cast<std::size_t>(arity_of(n.atom)))));
              }
          }
          d.push_back(through(n, value.back(), value, d));
        }
        zero = !d.back().has_value();
        return d.back().value_or(Ex(0));
      },
      f->dtype());
  return zero ? nullptr : result;
}

FormulaRef derivative(const FormulaRef& f, int k) {
  const auto stated = static_cast<std::size_t>(k);
  if (stated < f->derivatives.size() && f->derivatives[stated]) return f->derivatives[stated];
  static auto* memo = new std::map<std::pair<const Formula*, int>, std::pair<FormulaRef, FormulaRef>>;  // holds f itself, so that its address stays its own
  static std::mutex mutex;
  {
    std::lock_guard lock(mutex);
    if (auto it = memo->find({f.get(), k}); it != memo->end()) return it->second.second;
  }
  FormulaRef made = derived_derivative(f, k);
  std::lock_guard lock(mutex);
  if (memo->size() > 4096) memo->clear();
  memo->emplace(std::pair(f.get(), k), std::pair(f, made));
  return made;
}

}  // namespace cotan
