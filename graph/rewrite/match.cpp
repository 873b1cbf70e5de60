#include "graph/rewrite/match.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "ops/attributes.h"

namespace cotan::rewrite {
namespace {

bool commutes(Atom atom) { return atom == Atom::add || atom == Atom::mul || atom == Atom::eq || atom == Atom::and_ || atom == Atom::or_ || atom == Atom::xor_; }

int child(const FormulaNode& n, int k) { return k == 0 ? n.a : k == 1 ? n.b : n.c; }

bool same_within(const Term& a, const Term& b, int& budget) {
  if (a == b) return true;
  if (!a.is_atom() || !b.is_atom() || --budget < 0) return false;
  const FormulaNode &x = a.atom(), &y = b.atom();
  if (x.atom != y.atom || x.dtype != y.dtype || std::bit_cast<std::uint64_t>(x.literal) != std::bit_cast<std::uint64_t>(y.literal)) return false;
  for (int k = 0; k < arity_of(x.atom); ++k)
    if (!same_within(term_at(*a.node, child(x, k)), term_at(*b.node, child(y, k)), budget)) return false;
  return true;
}

// Whether `small` is `large` less its one entry at an axis, or with -1 there.
std::optional<AlongAxis> missing_axis(const std::vector<int>& large, const std::vector<int>& small) {
  for (std::size_t d = 0; d < large.size(); ++d) {
    if (large[d] < 0 || std::find(small.begin(), small.end(), large[d]) != small.end()) continue;
    std::vector<int> rest = large;
    rest[d] = -1;
    if (rest == small) return AlongAxis{static_cast<int>(d), true};
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(d));
    if (rest == small) return AlongAxis{static_cast<int>(d), false};
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<AlongAxis> along_axis(const Node& sum, bool total) {
  if (sum.kind != Kind::sum) return std::nullopt;
  const auto& s = sum.as<SumSpec>();
  if (s.factors.size() != 1 || sum.operand_count != 1 || !s.guards.empty()) return std::nullopt;
  const auto in = plain_indices(s.factors[0], sum.operand(0).shape(), s.domain), out = plain_indices(s.output, sum.shape, s.domain);
  if (!in || !out) return std::nullopt;
  return total ? missing_axis(*in, *out) : missing_axis(*out, *in);
}

// Whether the atoms below the root can be what the pattern wants, in some order: most attempts end here.
bool may_match(const Piece& pattern, const Term& term) {
  const auto& nodes = pattern.formula->nodes;
  const FormulaNode &p = nodes.back(), &t = term.atom();
  auto fits = [&](int wanted, int given) {
    const FormulaNode& w = nodes[static_cast<std::size_t>(wanted)];
    if (w.atom == Atom::operand) return true;
    const Term g = term_at(*term.node, given);
    return g.is_atom() && g.atom().atom == w.atom;
  };
  if (p.atom != t.atom || p.dtype != t.dtype) return false;
  if (arity_of(p.atom) == 1) return fits(p.a, t.a);
  if (arity_of(p.atom) == 3) return fits(p.a, t.a) && fits(p.b, t.b) && fits(p.c, t.c);
  return (fits(p.a, t.a) && fits(p.b, t.b)) || (commutes(p.atom) && fits(p.a, t.b) && fits(p.b, t.a));
}

class Matcher {
 public:
  Matcher(const Variables& variables, std::string* why) : variables_(variables), why_(why) { found_.variables.resize(variables.names.size()); }

  // What is still to be shown: that the piece's node is the term. A list that lives on the stack.
  struct Goal {
    const Piece* piece;
    int at;
    Term term;
    const Goal* rest;
  };

  bool solve(const Goal* goal) {
    if (goal == nullptr) return true;
    ++solved_;
    const bool done = solve_first(*goal);
    --solved_;
    return done;
  }

  Match found_;

 private:
  template <class Words>
  bool refuse(Words&& words) {
    if (why_ != nullptr && solved_ > furthest_) {
      furthest_ = solved_;
      *why_ = words();
    }
    return false;
  }

  bool solve_first(const Goal& g) {
    const FormulaNode& p = g.piece->formula->nodes[static_cast<std::size_t>(g.at)];
    if (p.atom == Atom::operand) {
      const auto v = static_cast<std::size_t>(p.a);
      return v < variables_.names.size() ? solve_variable(v, p.dtype, g) : solve_form(g.piece->forms[v - variables_.names.size()], g);
    }
    if (p.atom == Atom::constant) {
      const auto value = g.term.constant();
      if (!value || g.term.dtype() != p.dtype || std::bit_cast<std::uint64_t>(*value) != std::bit_cast<std::uint64_t>(p.literal))
        return refuse([&] { return fmt::format("{} is not the number {}", text_of_term(g.term), literal_text(p.literal)); });
      return solve(g.rest);
    }
    if (!g.term.is_atom() || g.term.atom().atom != p.atom) return refuse([&] { return fmt::format("{} is not '{}'", text_of_term(g.term), name_of(p.atom)); });
    const FormulaNode& t = g.term.atom();
    if (t.dtype != p.dtype) return refuse([&] { return fmt::format("{} is {}, not {}", text_of_term(g.term), name_of(t.dtype), name_of(p.dtype)); });
    const Node& map = *g.term.node;
    const std::size_t seen = found_.nodes.size();
    found_.nodes.push_back(&map);
    const int orders = commutes(p.atom) && p.a != p.b ? 2 : 1;
    for (int order = 0; order < orders; ++order) {
      const Goal third{g.piece, p.c, arity_of(p.atom) > 2 ? term_at(map, t.c) : Term(), g.rest};
      const Goal second{g.piece, p.b, arity_of(p.atom) > 1 ? term_at(map, order == 0 ? t.b : t.a) : Term(), arity_of(p.atom) > 2 ? &third : g.rest};
      const Goal first{g.piece, p.a, term_at(map, order == 0 ? t.a : t.b), arity_of(p.atom) > 1 ? &second : g.rest};
      if (solve(&first)) return true;  // what fails has undone its own bindings
      found_.nodes.resize(seen + 1);
    }
    found_.nodes.resize(seen);
    return false;
  }

  bool solve_variable(std::size_t v, DType dtype, const Goal& g) {
    std::optional<Term>& bound = found_.variables[v];
    if (g.term.dtype() != dtype)
      return refuse([&] { return fmt::format("{} stands for {}, not {}", variables_.names[v], name_of(g.term.dtype()), name_of(dtype)); });
    if (bound) {
      if (!same(*bound, g.term))
        return refuse([&] { return fmt::format("{} stands for two expressions, {} is another one", variables_.names[v], text_of_term(g.term)); });
      return solve(g.rest);
    }
    bound = g.term;
    if (solve(g.rest)) return true;
    found_.variables[v].reset();
    return false;
  }

  bool solve_form(const Piece::FormUse& form, const Goal& g) {
    if (g.term.is_atom()) return refuse([&] { return fmt::format("{} is not {}", text_of_term(g.term), name_of(form.form)); });
    const Node& n = *g.term.node;
    std::optional<AlongAxis> along;
    Shape full;
    switch (form.form) {
      case Form::total:
        along = as_total(n);
        if (along) full = n.operand(0).shape();
        break;
      case Form::spread: along = as_spread(n), full = n.shape; break;
      case Form::softmax:
      case Form::log_softmax:
        if (n.kind == Kind::call && n.as<CallSpec>().name == name_of(form.form)) {
          const auto dim = n.as<CallSpec>().attributes.get<std::int64_t>("dim");
          along = AlongAxis{static_cast<int>(dim < 0 ? dim + static_cast<std::int64_t>(n.shape.rank()) : dim), true}, full = n.shape;
        }
        break;
    }
    if (!along) return refuse([&] { return fmt::format("{} is not {}", text_of_term(g.term), name_of(form.form)); });
    if (full[static_cast<std::size_t>(along->axis)] == 0)  // what a rule makes of it may refuse rows of nothing
      return refuse([&] { return fmt::format("{} goes along an axis without entries", name_of(form.form)); });
    if (found_.axis && (*found_.axis != along->axis || !(found_.full == full)))
      return refuse([&] { return fmt::format("{} goes along axis {}, not {}", name_of(form.form), along->axis, *found_.axis); });
    const std::optional<int> axis_before = found_.axis;
    const Shape full_before = found_.full;
    found_.axis = along->axis;
    found_.full = full;
    found_.nodes.push_back(&n);
    const Goal inside{form.x.get(), static_cast<int>(form.x->formula->nodes.size()) - 1, term_of(n.operands()[0]), g.rest};
    if (solve(&inside)) return true;
    found_.axis = axis_before;
    found_.full = full_before;
    found_.nodes.pop_back();
    return false;
  }

  static std::string text_of_term(const Term& t) {
    if (t.constant()) return fmt::format("the number {}", literal_text(*t.constant()));
    if (t.is_atom()) return fmt::format("'{}'", name_of(t.atom().atom));
    return fmt::format("a {}", name_of(t.node->kind));
  }

  const Variables& variables_;
  std::string* why_;
  int solved_ = 0, furthest_ = 0;
};

}  // namespace

std::optional<double> Term::constant() const {
  if (is_atom() && atom().atom == Atom::constant) return atom().literal;
  return std::nullopt;
}

Term term_of(const Edge& edge) {
  Edge e = edge;
  while (e.node->kind == Kind::map) {
    const FormulaNode& last = e.node->formula().nodes.back();
    if (last.atom != Atom::operand) return {e.node, static_cast<int>(e.node->formula().nodes.size()) - 1};
    e = e.node->operands()[static_cast<std::size_t>(last.a)];
  }
  return {e.node, -1 - static_cast<int>(e.result)};
}

Term term_at(const Node& map, int i) {
  const FormulaNode& n = map.formula().nodes[static_cast<std::size_t>(i)];
  return n.atom == Atom::operand ? term_of(map.operands()[static_cast<std::size_t>(n.a)]) : Term{&map, i};
}

bool same(const Term& a, const Term& b) {
  int budget = 100;
  return same_within(a, b, budget);
}

std::optional<std::vector<int>> plain_indices(std::span<const IndexExpr> access, const Shape& shape, const Domain& domain) {
  std::vector<int> indices;
  for (std::size_t d = 0; d < access.size(); ++d) {
    const int i = access[d].plain();
    if (i < 0 && !(access[d] == IndexExpr(0) && shape[d] == 1)) return std::nullopt;
    if (i >= 0 && (domain[static_cast<std::size_t>(i)] != shape[d] || std::find(indices.begin(), indices.end(), i) != indices.end())) return std::nullopt;
    indices.push_back(i);
  }
  return indices;
}

std::optional<std::int64_t> points_an_entry(const Node& sum) {
  const auto& s = sum.as<SumSpec>();
  if (s.factors.size() != 1 || sum.operand_count != 1 || !s.guards.empty()) return std::nullopt;
  const Shape shape = sum.operand(0).shape();
  for (std::size_t d = 0; d < shape.rank(); ++d)
    if (!in_range(s.factors[0][d], shape[d], s.domain)) return std::nullopt;
  const auto out = plain_indices(s.output, sum.shape, s.domain);
  if (!out) return std::nullopt;
  std::int64_t points = 1;
  for (std::size_t i = 0; i < s.domain.size(); ++i)
    if (std::find(out->begin(), out->end(), static_cast<int>(i)) == out->end()) points *= s.domain[i];
  return points;
}

std::optional<AlongAxis> as_total(const Node& sum) {
  return sum.kind != Kind::sum || sum.as<SumSpec>().coefficient == 1 ? along_axis(sum, true) : std::nullopt;
}
std::optional<AlongAxis> as_spread(const Node& sum) {
  return sum.kind != Kind::sum || sum.as<SumSpec>().coefficient == 1 ? along_axis(sum, false) : std::nullopt;
}

std::optional<Match> match(const Piece& pattern, const Variables& variables, const Term& term, std::string* why) {
  if (why == nullptr && (!term.is_atom() || !may_match(pattern, term))) return std::nullopt;
  Matcher matcher(variables, why);
  const Matcher::Goal goal{&pattern, static_cast<int>(pattern.formula->nodes.size()) - 1, term, nullptr};
  if (!matcher.solve(&goal)) return std::nullopt;
  return std::move(matcher.found_);
}

}  // namespace cotan::rewrite
