#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "graph/text/formula_rules.h"
#include "graph/text/print.h"
#include "graph/text/words.h"

namespace cotan::text_form {
namespace {

// How tightly a text binds, as the parser reads it.
enum Level { any = 0, or_level, and_level, comparison, additive, multiplicative, unary, primary };

struct Piece {
  std::string text;
  Level level = primary;
};

// Reading makes a node for each operation after its operands', and a literal's node with the operation that uses it first. The printer plays that order back:
// nodes that are read once wait on a stack to be written inside their reader, and whatever would come out of order is given a name beforehand.
class FormulaPrinter {
 public:
  FormulaPrinter(const Formula& f, const std::vector<std::string>& operands, const Names& names) : f_(f), operands_(operands), names_(names) {
    uses_.resize(f.nodes.size(), 0);
    for (const FormulaNode& n : f.nodes) {
      if (n.atom == Atom::operand) continue;
      for (int k : {n.a, n.b, n.c})
        if (k >= 0) ++uses_[at(k)];
    }
    pieces_.resize(f.nodes.size());
    placed_.resize(f.nodes.size(), 0);
    inline_.resize(f.nodes.size(), 0);
    waits_.resize(f.nodes.size(), 0);
    depth_.resize(f.nodes.size(), 0);
  }

  std::string print() {
    std::vector<int> literals;  // since the last operation
    const int last = static_cast<int>(f_.nodes.size()) - 1;
    for (int i = 0; i < last; ++i) {
      const FormulaNode& n = f_.nodes[at(i)];
      if (n.atom == Atom::operand) {
        place_operand(i);
      } else if (n.atom == Atom::constant) {
        literals.push_back(i);
      } else {
        operation(i, literals);
        literals.clear();
        waiting_.push_back(i);
        waits_[at(i)] = 1;
        if (uses_[at(i)] != 1 || depth_[at(i)] >= deepest) name_waiting();
      }
    }
    std::string value;
    if (f_.nodes.back().atom == Atom::operand) {
      place_operand(last);
      value = pieces_.back().text;
    } else if (f_.nodes.back().atom == Atom::constant) {
      value = literal_of(f_.nodes.back().literal, f_.dtype());
    } else {
      operation(last, literals);
      value = pieces_.back().text;
    }
    roots_.push_back(last);
    return fmt::format("{}{{ {}{} }}", order_prefix(), locals_, value);
  }

 private:
  static constexpr int deepest = 40;
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }

  void place_operand(int i) {
    const auto k = at(f_.nodes[at(i)].a);
    pieces_[at(i)] = {operands_[k], primary};
    placed_[at(i)] = 1;
  }

  // Names everything that waits, in the order in which it was made.
  void name_waiting() {
    while (first_waiting_ < waiting_.size()) name_first();
    waiting_.clear();
    first_waiting_ = 0;
  }

  void name_first() {
    const int i = waiting_[first_waiting_++];
    waits_[at(i)] = 0;
    give_name(i);
  }

  void give_name(int i) {
    roots_.push_back(i);
    std::string name;
    do name = fmt::format("t{}", next_local_++);
    while (names_.is_taken(name));
    locals_ += fmt::format("{} = {}; ", name, pieces_[at(i)].text);
    pieces_[at(i)] = {std::move(name), primary};
    depth_[at(i)] = 0;
  }

  // Writes operation i. `literals` are the literal nodes made just before it.
  void operation(int i, const std::vector<int>& literals) {
    const FormulaNode& n = f_.nodes[at(i)];
    std::vector<int> args;
    for (int k : {n.a, n.b, n.c})
      if (k >= 0) args.push_back(k);

    std::vector<int> fresh;
    for (int k : args)
      if (f_.nodes[at(k)].atom == Atom::constant && !placed_[at(k)] && std::find(fresh.begin(), fresh.end(), k) == fresh.end()) fresh.push_back(k);
    if (fresh != literals) {  // a literal that another operation uses first gets a name, which places it here
      name_waiting();
      for (int k : literals) {
        pieces_[at(k)] = {typed_literal(k), primary};
        placed_[at(k)] = 1;
        give_name(k);
      }
      fresh.clear();
    }
    for (int k : fresh) placed_[at(k)] = 1;

    std::vector<int> inside;
    for (int k : args)
      if (waits_[at(k)] != 0) inside.push_back(k);
    const auto last_are_inside = [&] {
      return waiting_.size() - first_waiting_ >= inside.size() &&
             std::equal(inside.begin(), inside.end(), waiting_.end() - static_cast<std::ptrdiff_t>(inside.size()));
    };
    while (!last_are_inside()) {
      std::erase(inside, waiting_[first_waiting_]);
      name_first();
    }
    waiting_.resize(waiting_.size() - inside.size());
    for (int k : inside) {
      waits_[at(k)] = 0;
      inline_[at(k)] = 1;
      depth_[at(i)] = std::max(depth_[at(i)], depth_[at(k)]);
    }
    ++depth_[at(i)];
    pieces_[at(i)] = written(n, args);
  }

  bool is_literal(int k) const { return f_.nodes[at(k)].atom == Atom::constant && pieces_[at(k)].text.empty(); }

  std::string typed_literal(int k) const {
    const FormulaNode& n = f_.nodes[at(k)];
    return n.dtype == DType::boolean ? literal_of(n.literal, n.dtype) : fmt::format("{}({})", name_of(n.dtype), literal_of(n.literal, n.dtype));
  }

  // Argument k of an operation whose arguments of the same type are `peers`: a literal shows its type where no peer does.
  std::string argument(int k, const std::vector<int>& peers, Level least) const {
    if (is_literal(k)) {
      const bool typed_by_peer = std::any_of(peers.begin(), peers.end(), [&](int p) { return !is_literal(p); });
      if (!typed_by_peer) return typed_literal(k);
      return literal_of(f_.nodes[at(k)].literal, f_.nodes[at(k)].dtype);  // "-2" binds as tightly as any argument needs
    }
    const Piece& p = pieces_[at(k)];
    return p.level < least ? fmt::format("({})", p.text) : p.text;
  }

  Piece binary(const std::vector<int>& args, std::string_view sign, Level level, Level left, Level right) const {
    return {fmt::format("{} {} {}", argument(args[0], args, left), sign, argument(args[1], args, right)), level};
  }

  Piece written(const FormulaNode& n, const std::vector<int>& args) const {
    switch (n.atom) {
      case Atom::add: return sum(args);
      case Atom::mul: return binary(args, "*", multiplicative, multiplicative, unary);
      case Atom::div: return binary(args, "/", multiplicative, multiplicative, unary);
      case Atom::lt: return binary(args, "<", comparison, additive, additive);
      case Atom::le: return binary(args, "<=", comparison, additive, additive);
      case Atom::eq:
        if (is_literal(args[1]) && !is_literal(args[0]) && f_.nodes[at(args[1])].dtype == DType::boolean && f_.nodes[at(args[1])].literal == 0)
          return {fmt::format("!{}", argument(args[0], args, unary)), unary};
        return binary(args, "==", comparison, additive, additive);
      case Atom::and_: return binary(args, "&&", and_level, and_level, comparison);
      case Atom::or_: return binary(args, "||", or_level, or_level, and_level);
      case Atom::neg:
        if (is_literal(args[0])) break;  // -2 is a literal, not an operation
        return {fmt::format("-{}", argument(args[0], args, unary)), unary};
      case Atom::cast: return {fmt::format("cast({}, {})", argument(args[0], args, any), name_of(n.dtype)), primary};
      case Atom::where: {
        const std::vector<int> branches{args[1], args[2]};
        return {fmt::format("where({}, {}, {})", argument(args[0], {args[0]}, any), argument(args[1], branches, any), argument(args[2], branches, any)),
                primary};
      }
      default: break;
    }
    std::vector<std::string> texts;
    for (int k : args) texts.push_back(argument(k, args, any));
    std::string_view name = name_of(n.atom);
    if (name.ends_with('_')) name.remove_suffix(1);
    return {fmt::format("{}({})", name, fmt::join(texts, ", ")), primary};
  }

  // a + b, or a - b where b is a negation written here or a negative literal.
  Piece sum(const std::vector<int>& args) const {
    const FormulaNode& b = f_.nodes[at(args[1])];
    if (is_literal(args[1]) && !is_literal(args[0]) && std::signbit(b.literal) && !std::isnan(b.literal))
      return {fmt::format("{} - {}", argument(args[0], args, additive), literal_of(-b.literal, b.dtype)), additive};
    const Piece& negated = pieces_[at(args[1])];
    if (b.atom == Atom::neg && negated.level == unary)
      return {fmt::format("{} - {}", argument(args[0], args, additive), std::string_view(negated.text).substr(1)), additive};
    return binary(args, "+", additive, additive, multiplicative);
  }

  // "map(a, b) " where the operands do not first appear in their order, as the text stands.
  std::string order_prefix() const {
    std::vector<int> seen;
    std::vector<char> known(f_.operands.size(), 0);
    std::vector<int> stack(roots_.rbegin(), roots_.rend());
    while (!stack.empty()) {
      const int i = stack.back();
      stack.pop_back();
      const FormulaNode& n = f_.nodes[at(i)];
      if (n.atom == Atom::operand) {
        if (known[at(n.a)] == 0) seen.push_back(n.a);
        known[at(n.a)] = 1;
        continue;
      }
      for (int k : {n.c, n.b, n.a})
        if (k >= 0 && (inline_[at(k)] || f_.nodes[at(k)].atom == Atom::operand)) stack.push_back(k);
    }
    bool in_order = seen.size() == f_.operands.size();
    for (std::size_t k = 0; k < seen.size(); ++k) in_order = in_order && seen[k] == static_cast<int>(k);
    return in_order ? "" : fmt::format("map({}) ", fmt::join(operands_, ", "));
  }

  const Formula& f_;
  const std::vector<std::string>& operands_;
  const Names& names_;
  std::vector<int> uses_, depth_;
  std::vector<char> placed_, inline_, waits_;  // has a node by now; stands inside its reader; is among those that wait
  std::vector<int> roots_;             // what the text's statements compute, in order
  std::vector<Piece> pieces_;
  std::vector<int> waiting_;
  std::size_t first_waiting_ = 0;  // those before it have names
  std::string locals_;
  std::size_t next_local_ = 0;
};

}  // namespace

std::string formula_text(const Formula& f, const std::vector<std::string>& operands, const Names& names) {
  if (operands.size() != f.operands.size()) return "<a formula of other operands>";
  if (std::string fault = fault_of(f); !fault.empty()) return fmt::format("<{}>", fault);
  return FormulaPrinter(f, operands, names).print();
}

}  // namespace cotan::text_form
