#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "graph/builder.h"
#include "graph/text/formula_rules.h"
#include "graph/text/scope.h"
#include "graph/text/words.h"
#include "ops/intern.h"

namespace cotan::text_form {
namespace {

// What a piece of the expression is: a node, or a literal that has not met a type yet.
struct Value {
  static constexpr int none = -1;
  int node = none;  // an operation or literal: its number; an operand: -2 - its number
  double literal = 0;
  std::optional<DType> type;  // of a literal that states it: f32(0.5), true
  Token at;
  [[nodiscard]] bool is_literal() const { return node == none; }
};

// Builds exactly the nodes that the text names, nothing folded or rearranged, so that what prints reads back as it was. Equal nodes are one. A literal's node
// is made with the operation that uses it first.
class FormulaReader {
 public:
  FormulaReader(Reader& reader, const TensorScope& scope, const LeftSide& left) : r_(reader), scope_(scope), left_(left) {}

  Ref read() {
    if (r_.accept("map")) read_operand_order();
    r_.expect("{");
    while (r_.peek().kind == TokenKind::name && r_.is("=", 1)) read_local();
    const Value value = expression();
    r_.expect("}");
    const int result = placed(value, left_.type.dtype);
    if (type_of(result) != left_.type.dtype)
      r_.fail(left_.at, fmt::format("the formula gives {}, the statement says {}", name_of(type_of(result)), name_of(left_.type.dtype)),
              fmt::format("Write {}, or cast(..., {})", name_of(type_of(result)), name_of(left_.type.dtype)));
    return graph::map(finished(result), operands_, left_.type.shape);
  }

 private:
  void read_operand_order() {
    r_.expect("(");
    while (!r_.is(")")) {
      if (!operands_.empty()) r_.expect(",");
      operand_number(r_.peek(), scope_.operand(r_));
    }
    r_.expect(")");
  }

  void read_local() {
    const Token t = r_.peek();
    const std::string name = r_.name("a local name");
    r_.expect("=");
    const Value v = expression();
    if (v.is_literal() && !v.type) r_.fail(v.at, "the type of the literal is not known", "Write it: f32(0.5)");
    r_.expect(";");
    if (!locals_.emplace(name, v.is_literal() ? placed(v, *v.type) : v.node).second)
      r_.fail(t, fmt::format("a second local name {}", shown_name(name)), "Give each its own name");
  }

  // ---- the grammar, loosest first

  Value expression() {
    const Reader::Nesting nesting(r_);
    return chain({{"||", Atom::or_}}, [this] { return chain({{"&&", Atom::and_}}, [this] { return comparison(); }); });
  }

  using Signs = std::initializer_list<std::pair<std::string_view, Atom>>;
  template <class Next>
  Value chain(Signs signs, Next next) {
    Value a = next();
    for (;;) {
      const Token t = r_.peek();
      const std::pair<std::string_view, Atom>* found = nullptr;
      for (const auto& sign : signs)
        if (r_.is(sign.first)) found = &sign;
      if (found == nullptr) return a;
      r_.take();
      Value b = next();
      if (found->first == "-") b = negated(b, t);
      a = apply(found->second, {a, b}, t);
    }
  }

  Value comparison() {
    Value a = additive();
    const Token t = r_.peek();
    const auto is_one_of = [&](std::initializer_list<std::string_view> signs) {
      return std::any_of(signs.begin(), signs.end(), [&](auto s) { return r_.is(s); });
    };
    if (!is_one_of({"<", "<=", ">", ">=", "==", "!="})) return a;
    const std::string_view sign = r_.spelled(r_.take());
    const Value b = additive();
    if (is_one_of({"<", "<=", ">", ">=", "==", "!="})) r_.fail(r_.peek(), "comparisons in a row", "Put one of them in brackets");
    if (sign == "<") return apply(Atom::lt, {a, b}, t);
    if (sign == "<=") return apply(Atom::le, {a, b}, t);
    if (sign == ">") return apply(Atom::lt, {b, a}, t);
    if (sign == ">=") return apply(Atom::le, {b, a}, t);
    const Value equal = apply(Atom::eq, {a, b}, t);
    return sign == "==" ? equal : inverted(equal, t);
  }

  Value additive() {
    return chain({{"+", Atom::add}, {"-", Atom::add}}, [this] { return chain({{"*", Atom::mul}, {"/", Atom::div}}, [this] { return unary(); }); });
  }

  Value unary() {
    const Token t = r_.peek();
    if (!r_.is("-") && !r_.is("!")) return primary();
    const Reader::Nesting nesting(r_);
    if (r_.accept("-")) return negated(unary(), t);
    r_.take();
    return inverted(unary(), t);
  }

  Value negated(Value v, const Token& at) {
    if (!v.is_literal() || v.type) return apply(Atom::neg, {v}, at);
    v.literal = -v.literal;
    return v;
  }

  Value inverted(const Value& v, const Token& at) {
    Value no;
    no.type = DType::boolean;
    no.at = at;
    return apply(Atom::eq, {v, no}, at);
  }

  Value primary() {
    const Token t = r_.peek();
    Value v;
    v.at = t;
    if (r_.accept("(")) {
      v = expression();
      r_.expect(")");
      return v;
    }
    if (r_.is("true") || r_.is("false")) {
      v.literal = r_.is("true") ? 1 : 0;
      v.type = DType::boolean;
      r_.take();
      return v;
    }
    if (begins_number(r_)) {
      v.literal = read_number(r_).value;
      return v;
    }
    if (t.kind == TokenKind::name && r_.is("(", 1)) return function();
    if (t.kind == TokenKind::name) {
      if (auto local = locals_.find(r_.spelled(t)); local != locals_.end()) {
        r_.take();
        v.node = local->second;
        return v;
      }
    }
    if (!TensorScope::begins_operand(r_)) r_.expected("an expression");
    v.node = -2 - operand_number(t, scope_.operand(r_));
    return v;
  }

  // exp(x), where(c, a, b), cast(x, i32), f32(0.5).
  Value function() {
    const Token t = r_.take();
    const std::string_view name = r_.spelled(t);
    const Reader::Nesting nesting(r_);
    r_.expect("(");
    std::vector<Value> arguments;
    std::optional<DType> to;
    while (!r_.is(")")) {
      if (!arguments.empty()) r_.expect(",");
      if (name == "cast" && arguments.size() == 1 && r_.peek().kind == TokenKind::name && (to = dtype_named(r_.spelled(r_.peek())))) {
        r_.take();
        break;
      }
      arguments.push_back(expression());
    }
    r_.expect(")");
    if (const auto dtype = dtype_named(name)) return typed_literal(arguments, *dtype, t);
    if (name == "cast") {
      if (arguments.size() != 1 || !to) r_.fail(t, "cast takes a value and a type", "Write cast(x, i32)");
      return cast(arguments[0], *to, t);
    }
    if (name == "where") return where(arguments, t);
    const std::optional<Atom> atom = atom_named(name);
    if (!atom) {
      const std::string_view near = nearest(name, atom_names());
      r_.fail(t, fmt::format("no function {} in formulas", shortened(name)),
              near.empty() ? "docs/ir.md lists the functions; operations with a row stand in statements of their own" : fmt::format("Did you mean {}?", near));
    }
    return apply(*atom, arguments, t);
  }

  static std::span<const std::string_view> atom_names() {
    static constexpr std::string_view names[] = {
        "where",
        "cast",
#define ATOM(name, ...) #name,
#include "ops/atoms.def"
#undef ATOM
    };
    return names;
  }
  static std::optional<Atom> atom_named(std::string_view name) {
#define ATOM(name_, ...) \
  if (name == #name_ || (#name_[sizeof(#name_) - 2] == '_' && name == std::string_view(#name_).substr(0, sizeof(#name_) - 2))) return Atom::name_;
#include "ops/atoms.def"
#undef ATOM
    return std::nullopt;
  }

  // ---- nodes

  Value typed_literal(const std::vector<Value>& arguments, DType dtype, const Token& at) {
    if (arguments.size() != 1 || !arguments[0].is_literal() || (arguments[0].type && *arguments[0].type != dtype))
      r_.fail(at, fmt::format("{}(...) takes a number", name_of(dtype)), fmt::format("To convert a value write cast(x, {})", name_of(dtype)));
    Value v = arguments[0];
    v.type = dtype;
    return v;
  }

  DType type_of(int node) const {
    return node < Value::none ? operands_[static_cast<std::size_t>(-2 - node)].dtype() : nodes_[static_cast<std::size_t>(node)].dtype;
  }

  int put(const FormulaNode& n) {
    auto [it, fresh] = seen_.try_emplace({n.atom, n.dtype, n.a, n.b, n.c, std::bit_cast<std::uint64_t>(n.literal)}, static_cast<int>(nodes_.size()));
    if (fresh) nodes_.push_back(n);
    return it->second;
  }

  // The value as a node; a literal as a constant of this type.
  int placed(const Value& v, DType dtype) {
    if (!v.is_literal()) return v.node;
    if (v.type && *v.type != dtype)
      r_.fail(v.at, fmt::format("a literal of type {} where {} is needed", name_of(*v.type), name_of(dtype)), fmt::format("Write {}(...)", name_of(dtype)));
    const double held = round_to(dtype, v.literal);
    if (!takes_number(dtype, v.literal) || (std::isinf(held) && !std::isinf(v.literal)))
      r_.fail(v.at, fmt::format("the literal {} does not fit {}", v.literal, name_of(dtype)), "Write another, or cast the operand it meets");
    return put({Atom::constant, dtype, -1, -1, -1, held});
  }

  // The type that these values share, of which some may be literals that adapt.
  DType common(std::span<const Value> values, std::string_view what, const Token& at) {
    std::optional<DType> type;
    for (const Value& v : values) {
      const std::optional<DType> own = v.is_literal() ? v.type : type_of(v.node);
      if (own && type && *own != *type) r_.fail(at, fmt::format("'{}' of {} and {}", what, name_of(*type), name_of(*own)), casts_to_write(*type, *own));
      if (own) type = own;
    }
    if (!type) r_.fail(at, fmt::format("the type of '{}' of literals is not known", what), "State it at one of them: f32(0.5)");
    return *type;
  }

  Value node(int id, const Token& at) {
    Value v;
    v.node = id;
    v.at = at;
    return v;
  }

  Value apply(Atom atom, const std::vector<Value>& values, const Token& at) {
    const auto arity = static_cast<std::size_t>(arity_of(atom));
    if (values.size() != arity)
      r_.fail(at, fmt::format("'{}' takes {} operand{}, not {}", name_of(atom), arity, arity == 1 ? "" : "s", values.size()), "Correct the operands");
    const DType dtype = common(values, name_of(atom), at);
    if (!atom_takes(atom, dtype))
      r_.fail(at, fmt::format("'{}' of {}: it takes {}", name_of(atom), name_of(dtype), atom_wants(atom)), "Cast the operand first: cast(x, f32)");
    FormulaNode n{atom, atom_gives(atom, dtype), -1, -1, -1, 0};
    n.a = placed(values[0], dtype);
    if (arity > 1) n.b = placed(values[1], dtype);
    return node(put(n), at);
  }

  Value where(const std::vector<Value>& values, const Token& at) {
    if (values.size() != 3) r_.fail(at, "where takes a condition and two values", "Write where(x > 0, x, 0)");
    const DType dtype = common(std::span(values).subspan(1), "where", at);
    const int condition = placed(values[0], DType::boolean);
    if (type_of(condition) != DType::boolean)
      r_.fail(values[0].at, fmt::format("the condition of where is {}", name_of(type_of(condition))), "Give a bool, such as x > 0");
    if (!is_computed(dtype)) r_.fail(at, fmt::format("'where' of {}, which is for storage only", name_of(dtype)), "Cast the branches first: cast(x, f32)");
    const int a = placed(values[1], dtype);
    return node(put({Atom::where, dtype, condition, a, placed(values[2], dtype), 0}), at);
  }

  Value cast(const Value& v, DType to, const Token& at) {
    if (v.is_literal() && !v.type) r_.fail(v.at, "the type of the literal is not known", fmt::format("Write {}(...) without cast", name_of(to)));
    const int from = v.is_literal() ? placed(v, *v.type) : v.node;
    return node(put({Atom::cast, to, from, -1, -1, 0}), at);
  }

  int operand_number(const Token& at, const Ref& operand) {
    if (operand.shape() != left_.type.shape)
      r_.fail(at, fmt::format("an operand of shape {} in a formula of shape {}", operand.shape().text(), left_.type.shape.text()),
              "A formula's operands have its shape; write the broadcast as a statement of its own: x[j]");
    const auto [known, first] = operand_numbers_.emplace(operand.edge(), static_cast<int>(operands_.size()));
    if (first) operands_.push_back(operand);
    return known->second;
  }

  // The formula in its legal form: operands first; every node needed.
  FormulaRef finished(int result) {
    Formula f;
    const auto count = static_cast<int>(operands_.size());
    for (int k = 0; k < count; ++k) {
      f.operands.push_back(operands_[static_cast<std::size_t>(k)].dtype());
      f.nodes.push_back({Atom::operand, f.operands.back(), k, -1, -1, 0});
    }
    auto renumbered = [&](int id) { return id == Value::none ? -1 : id < Value::none ? -2 - id : id + count; };
    std::vector<char> needed(nodes_.size() + operands_.size(), 0);
    needed[static_cast<std::size_t>(renumbered(result))] = 1;
    for (FormulaNode n : nodes_) {
      n.a = renumbered(n.a);
      n.b = renumbered(n.b);
      n.c = renumbered(n.c);
      f.nodes.push_back(n);
    }
    for (std::size_t i = f.nodes.size(); i-- > 0;) {
      if (!needed[i]) r_.fail(left_.at, "a local name or an operand that the formula's value does not need", "Remove it");
      if (f.nodes[i].atom == Atom::operand) continue;
      for (int k : {f.nodes[i].a, f.nodes[i].b, f.nodes[i].c})
        if (k >= 0) needed[static_cast<std::size_t>(k)] = 1;
    }
    return interned(std::move(f));
  }

  Reader& r_;
  const TensorScope& scope_;
  const LeftSide& left_;
  std::vector<Ref> operands_;
  std::unordered_map<Edge, int, RefHash> operand_numbers_;
  std::vector<FormulaNode> nodes_;  // without operands
  std::map<std::tuple<Atom, DType, int, int, int, std::uint64_t>, int> seen_;
  std::map<std::string, int, std::less<>> locals_;
};

}  // namespace

Ref read_map(Reader& reader, const TensorScope& scope, const LeftSide& left) { return FormulaReader(reader, scope, left).read(); }

}  // namespace cotan::text_form
