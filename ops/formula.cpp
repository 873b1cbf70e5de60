#include "ops/formula.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "ops/error.h"
#include "ops/float_mode.h"
#include "ops/hash.h"
#include "ops/intern.h"

namespace cotan {
namespace {

enum class Operands : std::uint8_t { number, floating, boolean, any };
enum class Result : std::uint8_t { same, boolean };

struct AtomInfo {
  std::string_view name;
  int arity;
  Operands operands;
  Result result;
};

constexpr AtomInfo atoms[] = {
    {"operand", 0, Operands::any, Result::same},
    {"constant", 0, Operands::any, Result::same},
    {"where", 3, Operands::any, Result::same},
    {"cast", 1, Operands::any, Result::same},
#define ATOM(name, arity, operands, result, ...) {#name, arity, Operands::operands, Result::result},
#include "ops/atoms.def"
#undef ATOM
};

const AtomInfo& info(Atom atom) { return atoms[static_cast<std::size_t>(atom)]; }

double remainder_of(double a, double b) { return std::fmod(a, b); }

// Nodes of the formula under construction; equal nodes are one.
class Builder {
 public:
  Builder() : outer_(current) { current = this; }
  ~Builder() { current = outer_; }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  Ex put(const FormulaNode& node) {
    auto [it, fresh] = seen_.try_emplace(std::tuple(node.atom, node.dtype, node.a, node.b, node.c, std::bit_cast<std::uint64_t>(node.literal)),
                                         static_cast<int>(nodes.size()));
    if (fresh) nodes.push_back(node);
    return Ex::node(it->second);
  }

  static Builder& open() {
    if (current == nullptr) throw InternalError("a formula expression outside make_formula");
    return *current;
  }

  std::vector<FormulaNode> nodes;

 private:
  std::map<std::tuple<Atom, DType, int, int, int, std::uint64_t>, int> seen_;
  Builder* outer_;
  static thread_local Builder* current;
};

thread_local Builder* Builder::current = nullptr;
thread_local DType branch_dtype = DType::f32;
thread_local std::string_view row_in_words;  // see SpokenAs

// What a message calls an atom: the row that it is part of, or as text has it.
std::string_view spoken(Atom atom) {
  if (!row_in_words.empty()) return row_in_words;
  switch (atom) {
    case Atom::and_: return "&&";
    case Atom::or_: return "||";
    case Atom::xor_: return "xor";
    default: return info(atom).name;
  }
}

const FormulaNode& node_of(Ex x) { return Builder::open().nodes[static_cast<std::size_t>(x.id())]; }

Ex put(Atom atom, DType dtype, Ex a, Ex b = Ex(0), Ex c = Ex(0)) { return Builder::open().put({atom, dtype, a.id(), b.id(), c.id(), 0}); }

bool fits(Operands wanted, DType dtype) {
  switch (wanted) {
    case Operands::number: return kind_of(dtype) != DTypeKind::boolean;
    case Operands::floating: return is_floating(dtype);
    case Operands::boolean: return dtype == DType::boolean;
    case Operands::any: return true;
  }
  return false;
}

std::string_view wanted_text(Operands wanted) {
  switch (wanted) {
    case Operands::number: return "a number";
    case Operands::floating: return "floating";
    case Operands::boolean: return "bool";
    case Operands::any: return "anything";
  }
  return "";
}

// The common type of operands of which some are literals; those become constants of it.
DType unify(std::string_view what, std::span<Ex> operands) {
  std::optional<DType> common;
  for (const Ex& x : operands) {
    if (x.is_literal()) continue;
    if (!common) common = dtype_of(x);
    if (*common != dtype_of(x)) fail(fmt::format("'{}' of {} and {}", what, name_of(*common), name_of(dtype_of(x))), casts_to_write(*common, dtype_of(x)));
  }
  require_computed(what, *common);
  for (Ex& x : operands) x = typed(x, *common);
  return *common;
}

std::optional<Ex> identity(Atom atom, Ex a, Ex b) {  // exact for every value, NaN and infinities included
  if (atom == Atom::mul && b.is(1)) return a;
  if (atom == Atom::mul && a.is(1)) return b;
  if (atom == Atom::mul && b.is(-1)) return formula_language::neg(a);
  if (atom == Atom::mul && a.is(-1)) return formula_language::neg(b);
  if (atom == Atom::div && b.is(1)) return a;
  if (atom == Atom::neg && !a.is_literal() && node_of(a).atom == Atom::neg) return Ex::node(node_of(a).a);
  return std::nullopt;
}

// Operands come first, by number; the rest after them.
int operand_rank(const std::vector<FormulaNode>& nodes, int id) {
  const FormulaNode& n = nodes[static_cast<std::size_t>(id)];
  return n.atom == Atom::operand ? n.a : std::numeric_limits<int>::max();
}

}  // namespace

LiteralScope::LiteralScope(DType dtype) : outer_(std::exchange(branch_dtype, dtype)) {}
LiteralScope::~LiteralScope() { branch_dtype = outer_; }

SpokenAs::SpokenAs(std::string_view row) : outer_(std::exchange(row_in_words, row)) {}
SpokenAs::~SpokenAs() { row_in_words = outer_; }

std::string_view name_of(Atom atom) { return info(atom).name; }
int arity_of(Atom atom) { return info(atom).arity; }

bool FormulaNode::operator==(const FormulaNode& o) const {
  return atom == o.atom && dtype == o.dtype && a == o.a && b == o.b && c == o.c &&
         std::bit_cast<std::uint64_t>(literal) == std::bit_cast<std::uint64_t>(o.literal);
}

std::uint64_t Formula::hash() const {
  std::uint64_t h = mix(hash_of(row), attributes.hash());
  for (DType d : operands) h = mix(h, static_cast<std::uint64_t>(d));
  for (const FormulaNode& n : nodes) {
    h = mix(mix(h, static_cast<std::uint64_t>(n.atom)), static_cast<std::uint64_t>(n.dtype));
    h = mix(mix(mix(mix(h, static_cast<std::uint64_t>(n.a + 1)), static_cast<std::uint64_t>(n.b + 1)), static_cast<std::uint64_t>(n.c + 1)),
            hash_of(n.literal));
  }
  return h;
}

bool Formula::operator==(const Formula& o) const {
  return row == o.row && attributes == o.attributes && operands == o.operands && nodes == o.nodes && derivatives == o.derivatives;
}

bool Ex::is(double value) const {
  if (is_literal()) return literal_ == value;
  const FormulaNode& n = node_of(*this);
  return n.atom == Atom::constant && n.literal == value;
}

DType dtype_of(Ex x) { return node_of(x).dtype; }

Ex typed(Ex x, DType dtype) {
  if (!x.is_literal()) return x;
  if (!takes_number(dtype, x.literal()))
    fail(fmt::format("the literal {} does not fit {}", x.literal(), name_of(dtype)), "Cast the operand to a floating type");
  return Builder::open().put({Atom::constant, dtype, -1, -1, -1, round_to(dtype, x.literal())});
}

Ex apply(Atom atom, std::span<const Ex> given) {
  std::vector<Ex> x(given.begin(), given.end());
  if (static_cast<int>(x.size()) != arity_of(atom)) throw InternalError(fmt::format("atom {} with {} operands", name_of(atom), x.size()));
  if (std::all_of(x.begin(), x.end(), [](const Ex& e) { return e.is_literal(); }))
    return Ex(apply_atom(atom, DType::f64, x[0].literal(), x.size() > 1 ? x[1].literal() : 0, 0));
  const DType dtype = unify(spoken(atom), x);
  if (!fits(info(atom).operands, dtype))
    fail(fmt::format("'{}' of {}: the operand must be {}", spoken(atom), name_of(dtype), wanted_text(info(atom).operands)), "Cast it first, e.g. cast(x, f32)");
  if (auto same = identity(atom, x[0], x.size() > 1 ? x[1] : Ex(0))) return *same;
  const DType result = info(atom).result == Result::boolean ? DType::boolean : dtype;
  if (atom == Atom::neg && node_of(x[0]).atom == Atom::constant) return typed(Ex(apply_atom(atom, dtype, node_of(x[0]).literal, 0, 0)), dtype);
  return put(atom, result, x[0], x.size() > 1 ? x[1] : Ex(0));
}

Ex where(Ex condition, Ex a, Ex b) {
  if (condition.is_literal()) return condition.literal() != 0 ? a : b;
  if (dtype_of(condition) != DType::boolean) fail(fmt::format("the condition of 'where' is {}", name_of(dtype_of(condition))), "Give a bool, such as x > 0");
  if (a.is_literal() && b.is_literal()) {
    if (std::bit_cast<std::uint64_t>(a.literal()) == std::bit_cast<std::uint64_t>(b.literal())) return a;  // 0 is not -0
    a = typed(a, branch_dtype);
  }
  Ex branches[] = {a, b};
  const DType dtype = unify(row_in_words.empty() ? "where" : row_in_words, branches);
  if (branches[0].id() == branches[1].id()) return branches[0];
  return put(Atom::where, dtype, condition, branches[0], branches[1]);
}

Ex cast(Ex x, DType dtype) {
  if (x.is_literal()) return typed(x, dtype);
  if (dtype_of(x) == dtype) return x;
  return put(Atom::cast, dtype, x);
}

FormulaRef make_formula(std::span<const DType> operands, const std::function<Ex(std::span<const Ex>)>& body, DType literal_dtype) {
  Builder builder;
  const LiteralScope literals(literal_dtype);
  std::vector<Ex> in;
  for (std::size_t k = 0; k < operands.size(); ++k) in.push_back(builder.put({Atom::operand, operands[k], static_cast<int>(k), -1, -1, 0}));
  const Ex value = typed(body(in), literal_dtype);

  // Keep what the value needs: first the operands in their order, then each node after those it reads, from left to right. The order in which the body's C++
  // expressions happened to be evaluated, which compilers choose, leaves no trace.
  std::vector<int> order;
  std::vector<char> seen(builder.nodes.size(), 0);
  std::vector<std::pair<int, int>> stack{{value.id(), 0}};  // a node, and how many of those it reads have been visited
  while (!stack.empty()) {
    auto& [id, visited] = stack.back();
    const FormulaNode& node = builder.nodes[static_cast<std::size_t>(id)];
    const int reads[] = {node.a, node.b, node.c};
    if (visited < arity_of(node.atom)) {
      const int next = reads[visited++];
      if (!seen[static_cast<std::size_t>(next)]) stack.emplace_back(next, 0);
      continue;
    }
    if (!std::exchange(seen[static_cast<std::size_t>(id)], 1)) order.push_back(id);
    stack.pop_back();
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return operand_rank(builder.nodes, a) < operand_rank(builder.nodes, b); });
  Formula f;
  f.operands.assign(operands.begin(), operands.end());
  std::vector<int> at(builder.nodes.size(), -1);
  for (int id : order) {
    FormulaNode node = builder.nodes[static_cast<std::size_t>(id)];
    int* reads[] = {&node.a, &node.b, &node.c};
    for (int k = 0; k < arity_of(node.atom); ++k) *reads[k] = at[static_cast<std::size_t>(*reads[k])];
    at[static_cast<std::size_t>(id)] = static_cast<int>(f.nodes.size());
    f.nodes.push_back(node);
  }
  return interned(std::move(f));
}

FormulaRef constant_formula(double value, DType dtype) {
  return make_formula(
      std::span<const DType>{}, [&](auto) { return Ex(value); }, dtype);
}

FormulaNode node_at(Ex x) { return node_of(x); }

Ex inlined(const Formula& f, std::span<const Ex> operands) {
  std::vector<Ex> at;
  auto in = [&](int i) { return at[static_cast<std::size_t>(i)]; };
  for (const FormulaNode& n : f.nodes) {
    switch (n.atom) {
      case Atom::operand: at.push_back(typed(operands[static_cast<std::size_t>(n.a)], n.dtype)); break;
      case Atom::constant: at.push_back(typed(Ex(n.literal), n.dtype)); break;
      case Atom::where: at.push_back(where(in(n.a), in(n.b), in(n.c))); break;
      case Atom::cast: at.push_back(cast(in(n.a), n.dtype)); break;
      default: {
        const Ex x[] = {in(n.a), arity_of(n.atom) > 1 ? in(n.b) : Ex(0)};
        at.push_back(apply(n.atom, std::span(x, static_cast<std::size_t>(arity_of(n.atom)))));
      }
    }
  }
  return at.back();
}

double round_to(DType dtype, double v) {
  // Adding 0 turns -0 into 0: an integer has one zero.
  auto whole = [v](double low, double high) { return v != v ? 0.0 : std::trunc(std::clamp(v, low, high)) + 0.0; };
  switch (dtype) {
    case DType::f32: return static_cast<double>(static_cast<float>(v));
    case DType::f64: return v;
    case DType::bf16: return static_cast<double>(bfloat16(v));
    case DType::i32: return whole(-0x1p31, 0x1p31 - 1);
    case DType::i64: return whole(-0x1p63, 0x1p63);
    case DType::u8: return whole(0, 255);
    case DType::u32: return whole(0, 0x1p32 - 1);
    case DType::boolean: return v != 0 ? 1.0 : 0.0;
  }
  return v;
}

bool takes_number(DType dtype, double v) { return is_floating(dtype) || (round_to(dtype, v) == v && !(dtype == DType::i64 && v == 0x1p63)); }

std::int64_t whole_number(double v) {
  if (v != v) return 0;
  if (v >= 0x1p63) return std::numeric_limits<std::int64_t>::max();
  return v <= -0x1p63 ? std::numeric_limits<std::int64_t>::min() : static_cast<std::int64_t>(v);
}

void require_computed(std::string_view what, DType dtype) {
  if (!is_computed(dtype)) fail(fmt::format("'{}' of {}, which is for storage only", what, name_of(dtype)), "Compute in f32: write cast(x, f32)");
}

std::string casts_to_write(DType a, DType b) {
  if (!is_computed(a)) return fmt::format("Types do not mix: write cast(x, {})", name_of(b));
  if (!is_computed(b)) return fmt::format("Types do not mix: write cast(x, {})", name_of(a));
  return fmt::format("Types do not mix: write cast(x, {}) or cast(x, {})", name_of(a), name_of(b));
}

namespace {

double raw_value(Atom atom, double a, double b, double c) {
  switch (atom) {
    case Atom::where: return a != 0 ? b : c;
    case Atom::cast: return a;
#define ATOM(name, arity, operands, result, value, ...) \
  case Atom::name: return value;
#include "ops/atoms.def"
#undef ATOM
    default: return 0;
  }
}

// The low bits of an integer sum, product or remainder, and whether the atom is one: integer arithmetic wraps, as two's complement does.
std::optional<std::uint64_t> integer_bits(Atom atom, double a, double b) {
  const std::int64_t x = whole_number(a), y = whole_number(b);
  const auto ux = static_cast<std::uint64_t>(x), uy = static_cast<std::uint64_t>(y);
  switch (atom) {
    case Atom::neg: return 0 - ux;
    case Atom::add: return ux + uy;
    case Atom::mul: return ux * uy;
    case Atom::rem: return y == 0 || y == -1 ? 0 : static_cast<std::uint64_t>(x % y);
    default: return std::nullopt;
  }
}

}  // namespace

double wrapped(DType dtype, std::uint64_t bits) {
  return visit_dtype(dtype, [bits](auto zero) { return static_cast<double>(static_cast<decltype(zero)>(bits)); });
}

double apply_atom(Atom atom, DType dtype, double a, double b, double c) {
  if (kind_of(dtype) == DTypeKind::integer)
    if (const auto bits = integer_bits(atom, a, b)) return wrapped(dtype, *bits);
  return round_to(dtype, raw_value(atom, a, b, c));
}

double evaluate(const Formula& f, std::span<const double> operands, std::vector<double>& v, bool exact) {
  v.resize(f.nodes.size());
  auto in = [&](int i) { return i >= 0 ? v[static_cast<std::size_t>(i)] : 0.0; };
  const bool flushes = FloatMode::current().flushes();
  for (std::size_t i = 0; i < f.nodes.size(); ++i) {
    const FormulaNode& n = f.nodes[i];
    const DType rounded = exact && n.dtype == DType::f32 ? DType::f64 : n.dtype;
    if (n.atom == Atom::operand)
      v[i] = operands[static_cast<std::size_t>(n.a)];
    else if (n.atom == Atom::constant)
      v[i] = n.literal;
    else if (!is_floating(n.dtype) || !flushes)
      v[i] = apply_atom(n.atom, rounded, in(n.a), in(n.b), in(n.c));
    else
      v[i] = round_to(rounded, flushed(n.dtype, raw_value(n.atom, in(n.a), in(n.b), in(n.c))));
    if (flushes && arity_of(n.atom) == 0) v[i] = flushed(n.dtype, v[i]);
  }
  return v.back();
}

}  // namespace cotan
