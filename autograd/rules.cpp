#include "autograd/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "autograd/differentiate.h"
#include "autograd/extremes.h"
#include "graph/builder.h"
#include "graph/composites/gradient_calls.h"
#include "ops/error.h"
#include "ops/intern.h"
#include "ops/per_thread.h"

namespace cotan::rules {
namespace {

using namespace formula_language;

bool is_zero(Ex x) { return x.is(0); }

// g * d, multiplied inside the branches that d does not take: where(c, p, 0) * g is where(c, p * g, 0), so that an infinite or NaN factor of the branch not
// taken never meets the zero.
Ex times(Ex g, Ex d) {
  if (!d.is_literal()) {
    const FormulaNode n = node_at(d);
    if (n.atom == Atom::where && is_zero(Ex::node(n.c))) return where(Ex::node(n.a), times(g, Ex::node(n.b)), typed(Ex(0), n.dtype));
    if (n.atom == Atom::where && is_zero(Ex::node(n.b))) return where(Ex::node(n.a), typed(Ex(0), n.dtype), times(g, Ex::node(n.c)));
    if (n.atom == Atom::div && Ex::node(n.a).is(1)) return g / Ex::node(n.b);
  }
  return g * d;
}

// The product of a derivative with a cotangent or tangent g that may itself be such a branch, or one inside another: then the product goes inside, too.
Ex times_healed(Ex g, Ex d) {
  if (!g.is_literal()) {
    const FormulaNode n = node_at(g);
    if (n.atom == Atom::where && is_zero(Ex::node(n.c))) return where(Ex::node(n.a), times_healed(Ex::node(n.b), d), typed(Ex(0), n.dtype));
    if (n.atom == Atom::where && is_zero(Ex::node(n.b))) return where(Ex::node(n.a), typed(Ex(0), n.dtype), times_healed(Ex::node(n.c), d));
  }
  return times(g, d);
}

bool is_branch(const Ref& g) {
  if (g->kind != Kind::map || g->operand_count == 0) return false;
  const FormulaNode& top = g->formula().nodes.back();
  if (top.atom != Atom::where) return false;
  auto zero = [&](int i) {
    const FormulaNode& n = g->formula().nodes[static_cast<std::size_t>(i)];
    return n.atom == Atom::constant && n.literal == 0;
  };
  return zero(top.b) || zero(top.c);
}

// A formula of which only some operands are read: `reads` lists them.
struct Product {
  FormulaRef formula;
  std::vector<std::size_t> reads;
};

Product pruned(const FormulaRef& f) {
  Product p;
  std::vector<int> at(f->operands.size(), -1);
  std::vector<DType> types;
  for (const FormulaNode& n : f->nodes) {
    if (n.atom != Atom::operand) continue;
    at[static_cast<std::size_t>(n.a)] = static_cast<int>(p.reads.size());
    p.reads.push_back(static_cast<std::size_t>(n.a));
    types.push_back(n.dtype);
  }
  p.formula = make_formula(
      types,
      [&](std::span<const Ex> x) {
        std::vector<Ex> in;
        for (int k : at) in.push_back(k < 0 ? Ex(0) : x[static_cast<std::size_t>(k)]);
        return inlined(*f, in);
      },
      f->dtype());
  return p;
}

// (d formula / d operand k) * g over (operands..., value, operands of g or g itself). Null formula: a structural zero.
const Product& product_with(const FormulaRef& f, std::size_t k, const FormulaRef& g_formula, DType g_dtype) {
  using Key = std::tuple<const Formula*, std::size_t, const Formula*, DType>;
  struct Entry {
    FormulaRef f, g;  // kept, so that their addresses stay theirs
    Product product;
  };
  auto& memo = per_thread<std::map<Key, Entry>>([] {});
  if (memo.size() > 4096) memo.clear();
  auto [it, fresh] = memo.try_emplace(Key(f.get(), k, g_formula.get(), g_dtype));
  if (!fresh) return it->second.product;
  it->second = {f, g_formula, {}};
  const FormulaRef d = derivative(f, static_cast<int>(k));
  if (!d) return it->second.product;
  std::vector<DType> types = d->operands;
  const std::size_t own = types.size();
  if (g_formula)
    types.insert(types.end(), g_formula->operands.begin(), g_formula->operands.end());
  else
    types.push_back(g_dtype);
  it->second.product = pruned(make_formula(
      types, [&](std::span<const Ex> x) { return times_healed(g_formula ? inlined(*g_formula, x.subspan(own)) : x.back(), inlined(*d, x.first(own))); },
      d->dtype()));
  return it->second.product;
}

Ref map_product(const Ref& node, std::size_t k, const Ref& g) {
  const bool branch = is_branch(g);
  const Product& product = product_with(node->shared<Formula>(), k, branch ? g->shared<Formula>() : nullptr, g.dtype());
  if (!product.formula) return {};
  // Its operands: the node's, the node itself, then g or, for a branch, the operands of g.
  const std::size_t own = node->operand_count;
  std::vector<Ref> read;
  read.reserve(product.reads.size());
  for (std::size_t i : product.reads) read.push_back(i < own ? node->operand(i) : i == own ? node : branch ? g->operand(i - own - 1) : g);
  return graph::map(product.formula, read, node->shape);
}

// The sum of two branches of one condition as a branch of it, where(c, a + b, 0), so that what the sum is multiplied with goes inside as well. Null where the
// conditions, or the sides that are zero, differ.
Ref plus_inside(const Ref& a, const Ref& b) {
  std::vector<Ref> operands;
  std::vector<DType> types;
  auto number_of = [&](const Ref& r) {
    const auto at = static_cast<std::size_t>(std::find(operands.begin(), operands.end(), r) - operands.begin());
    if (at == operands.size()) {
      operands.push_back(r);
      types.push_back(r.dtype());
    }
    return at;
  };
  std::vector<std::size_t> of_a, of_b;
  for (std::size_t k = 0; k < a->operand_count; ++k) of_a.push_back(number_of(a->operand(k)));
  for (std::size_t k = 0; k < b->operand_count; ++k) of_b.push_back(number_of(b->operand(k)));
  const std::size_t first = number_of(a), second = number_of(b);
  bool one_condition = false;
  const FormulaRef f = make_formula(types, [&](std::span<const Ex> x) {
    // Both read from x, so equal conditions are one expression.
    auto top = [&](const Ref& g, const std::vector<std::size_t>& numbers) {
      std::vector<Ex> in;
      for (std::size_t k : numbers) in.push_back(x[k]);
      return node_at(inlined(g->formula(), in));
    };
    const FormulaNode p = top(a, of_a), q = top(b, of_b);
    const Ex zero = typed(Ex(0), a.dtype()), both = x[first] + x[second];
    if (p.atom != Atom::where || q.atom != Atom::where || p.a != q.a) return both;
    const bool otherwise = is_zero(Ex::node(p.c)) && is_zero(Ex::node(q.c)), then = is_zero(Ex::node(p.b)) && is_zero(Ex::node(q.b));
    one_condition = otherwise || then;
    return otherwise ? where(Ex::node(p.a), both, zero) : then ? where(Ex::node(p.a), zero, both) : both;
  });
  return one_condition ? graph::map(f, operands, a->shape) : Ref();
}

std::vector<Ref> tables_of(const Ref& node) {
  std::vector<Ref> tables;
  for (std::size_t i = node->as<SumSpec>().factors.size(); i < node->operand_count; ++i) tables.push_back(node->operand(i));
  return tables;
}

std::vector<Ref> factors_of(const Ref& node) {
  std::vector<Ref> factors;
  for (std::size_t i = 0; i < node->as<SumSpec>().factors.size(); ++i) factors.push_back(node->operand(i));
  return factors;
}

// x moved by one along the axis, 0 coming in: shifted(x)[i] = x[i - by].
Ref shifted(const Ref& x, int axis, std::int64_t by) {
  SumSpec s;
  s.domain.assign(x.shape().begin(), x.shape().end());
  for (std::size_t d = 0; d < x.shape().rank(); ++d) s.output.push_back(index_of(static_cast<int>(d)));
  Access in = s.output;
  in[static_cast<std::size_t>(axis)] = in[static_cast<std::size_t>(axis)] - by;
  s.factors = {in};
  const Ref factors[] = {x};
  return graph::sum(std::move(s), x.shape(), factors);
}

// How a sum's adjoint by factor k is recorded: found once for each sum, then looked up. The order of the factors depends on how their structures compare, so
// that belongs to the key.
struct SumAdjoint {
  SumSpecRef sum;  // kept, so that its address stays its own
  SumSpecRef spec;
  std::vector<int> factors, tables;
};

const SumAdjoint& sum_adjoint_of(const SumSpecRef& sum, std::size_t k, std::span<const Ref> factors) {
  auto structure = [&](std::size_t i) { return factors[i]->structure + factors[i].result(); };
  std::uint64_t comparisons = 0;  // two bits a pair
  for (std::size_t i = 0; i < factors.size(); ++i)
    for (std::size_t j = i + 1; j < factors.size(); ++j)
      comparisons = comparisons << 2 | (structure(i) < structure(j) ? 1U : structure(i) > structure(j) ? 2U : 3U);
  auto& memo = per_thread<std::map<std::tuple<const SumSpec*, std::size_t, std::uint64_t>, SumAdjoint>>([] {});
  if (memo.size() > 1024) memo.clear();
  auto [it, fresh] = memo.try_emplace({sum.get(), k, comparisons});
  if (!fresh) return it->second;
  std::vector<std::uint64_t> hashes;
  for (std::size_t i = 0; i < factors.size(); ++i) hashes.push_back(structure(i));
  NormalSum normal = normal_form(adjoint(*sum, k), hashes);
  return it->second = {sum, interned(std::move(normal.spec)), std::move(normal.factors), std::move(normal.tables)};
}

std::vector<Ref> results_of(const Ref& node) {
  std::vector<Ref> results;
  for (std::uint32_t r = 0; r < node->result_count(); ++r) results.emplace_back(node.node(), r);
  return results;
}

// The operands of a derived call: the call's operands, its results, then what is given (cotangents or tangents).
std::vector<Ref> derived_operands(const Ref& node, std::span<const Ref> given) {
  std::vector<Ref> operands;
  for (const Edge& e : node->operands()) operands.emplace_back(e);
  for (const Ref& r : results_of(node)) operands.push_back(r);
  for (const Ref& r : given)
    if (r) operands.push_back(r);
  return operands;
}

std::vector<std::int64_t> present(std::span<const Ref> given) {
  std::vector<std::int64_t> which;
  for (std::size_t i = 0; i < given.size(); ++i)
    if (given[i]) which.push_back(static_cast<std::int64_t>(i));
  return which;
}

// Reads a derived body's results of the original body from the call's own results instead of computing them again.
std::vector<Ref> reading_results(std::vector<Ref> roots, const CallSpec& original, std::span<const Ref> result_parameters) {
  std::vector<std::pair<Ref, Ref>> replace;
  for (std::size_t r = 0; r < original.body->results.size(); ++r) {
    const Ref& result = original.body->results[r];
    if (result->kind != Kind::leaf) replace.emplace_back(result, result_parameters[r]);
  }
  return graph::substitute(roots, replace);
}

// A derived body in which what it computes from these parameters is its own, and not computed before `after` is there.
std::vector<Ref> behind_barriers(std::span<const Ref> roots, std::span<const Ref> parameters, const Ref& after) {
  std::vector<std::pair<Ref, Ref>> replace;
  for (const Ref& p : parameters) replace.emplace_back(p, graph::barrier(p, after));
  return graph::substitute(roots, replace);
}

// The body of a call's gradient, made once for each body, cotangents given and gradients wanted: the same body again makes the same call again.
struct CallAdjoint {
  std::shared_ptr<const Function> of;  // kept, so that its address stays its own
  std::shared_ptr<const Function> body;
  Attributes attributes;
  std::vector<std::int64_t> wrt;  // operands with a gradient that is not structurally zero, in the order of the body's results
};

// `operands` are those of the derived call.
CallAdjoint make_call_adjoint(const CallSpec& c, std::span<const Ref> operands, std::span<const Ref> cotangents, const std::vector<bool>& wanted) {
  CallAdjoint made{c.body, nullptr, c.attributes, {}};
  made.body = graph::make_function(c.name + ".vjp", operands, [&](std::span<const Ref> p) {
    const std::size_t results = c.body->results.size();
    std::vector<Ref> outputs, seeds, parameters;
    std::size_t next = wanted.size() + results;
    for (std::size_t r = 0; r < results; ++r) {
      if (!cotangents[r]) continue;
      outputs.push_back(c.body->results[r]);
      seeds.push_back(p[next++]);
    }
    for (std::size_t k = 0; k < wanted.size(); ++k)
      if (wanted[k]) parameters.push_back(c.body->parameters[k]);
    const std::vector<Ref> all = vjp(outputs, seeds, parameters);
    std::vector<Ref> found;
    std::size_t next_wanted = 0;
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      if (!wanted[k]) continue;
      const Ref& d = all[next_wanted++];
      if (!d) continue;
      made.wrt.push_back(static_cast<std::int64_t>(k));
      found.push_back(d);
    }
    found = reading_results(found, c, p.subspan(wanted.size(), results));
    const Attribute* again = c.attributes.find(computed_again);
    return again == nullptr ? found : behind_barriers(found, p.first(static_cast<std::size_t>(std::get<std::int64_t>(*again))), p[wanted.size() + results]);
  });
  made.attributes.set("wrt", made.wrt);
  made.attributes.set("cotangents", present(cotangents));
  return made;
}

const CallAdjoint& call_adjoint_of(const CallSpec& c, std::span<const Ref> operands, std::span<const Ref> cotangents, const std::vector<bool>& wanted) {
  struct Entry {
    std::string name;
    Attributes attributes;
    std::vector<bool> given, wanted;
    CallAdjoint adjoint;
  };
  auto& memo = per_thread<std::unordered_multimap<const Function*, Entry>>([] {});
  auto fits = [&](const Entry& e) {
    if (e.given.size() != cotangents.size() || e.wanted != wanted || e.name != c.name || e.attributes != c.attributes) return false;
    for (std::size_t r = 0; r < cotangents.size(); ++r)
      if (e.given[r] != static_cast<bool>(cotangents[r])) return false;
    return true;
  };
  const auto [first, last] = memo.equal_range(c.body.get());
  for (auto it = first; it != last; ++it)
    if (fits(it->second)) return it->second.adjoint;
  std::vector<bool> given;
  for (const Ref& r : cotangents) given.push_back(static_cast<bool>(r));
  CallAdjoint made = make_call_adjoint(c, operands, cotangents, wanted);  // may come back here for a call inside
  if (memo.size() > 256) memo.clear();
  return memo.emplace(c.body.get(), Entry{c.name, c.attributes, std::move(given), wanted, std::move(made)})->second.adjoint;
}

}  // namespace

Ref plus(const Ref& a, const Ref& b) {
  if (!a || !b) return a ? a : b;
  if (is_branch(a) && is_branch(b))
    if (Ref both = plus_inside(a, b)) return both;
  return graph::add(a, b);
}

Ref map_adjoint(const Ref& node, std::size_t k, const Ref& g) { return map_product(node, k, g); }

Ref map_tangent(const Ref& node, std::span<const Ref> tangents) {
  Ref total;
  for (std::size_t k = 0; k < tangents.size(); ++k)
    if (tangents[k]) total = plus(total, map_product(node, k, tangents[k]));
  return total;
}

Ref sum_adjoint(const Ref& node, std::size_t k, const Ref& g) {
  if (k >= node->as<SumSpec>().factors.size()) return {};
  std::vector<Ref> factors = factors_of(node), operands;
  const ResultType type{g.dtype(), factors[k].shape()};
  factors[k] = g;
  const std::vector<Ref> tables = tables_of(node);
  // Tables may be equal, which merges them; and what is memoised tells pairs of at most eight factors apart.
  if (tables.size() > 1 || factors.size() > 8) return graph::sum(adjoint(node->as<SumSpec>(), k), type.shape, factors, tables);
  const SumAdjoint& a = sum_adjoint_of(node->shared<SumSpec>(), k, factors);
  operands.reserve(node->operand_count);
  for (int f : a.factors) operands.push_back(factors[static_cast<std::size_t>(f)]);
  for (int t : a.tables) operands.push_back(tables[static_cast<std::size_t>(t)]);
  return graph::record_sum(a.spec, type, operands);
}

Ref sum_tangent(const Ref& node, std::span<const Ref> tangents) {
  const auto& s = node->as<SumSpec>();
  Ref total;
  for (std::size_t k = 0; k < s.factors.size(); ++k) {
    if (!tangents[k]) continue;
    std::vector<Ref> factors = factors_of(node);
    factors[k] = tangents[k];
    total = plus(total, graph::sum(s, node->shape, factors, tables_of(node)));
  }
  return total;
}

Ref reduce_adjoint(const Ref& node, const Ref& g) {
  if (shares_ties(node->as<ReduceSpec>().reduction)) return Ties(node).shared_out(g);
  const FirstExtreme e = first_extreme_of(node);
  const Ref factors[] = {g}, tables[] = {e.positions};
  return graph::sum(adjoint(e.gather, 0), node->operand(0).shape(), factors, tables);
}

Ref reduce_tangent(const Ref& node, const Ref& tangent) {
  if (shares_ties(node->as<ReduceSpec>().reduction)) return Ties(node).mean_of(tangent);
  const FirstExtreme e = first_extreme_of(node);
  const Ref factors[] = {tangent}, tables[] = {e.positions};
  return graph::sum(e.gather, node->shape, factors, tables);
}

Ref scan_adjoint(const Ref& node, std::size_t k, const Ref& g) {
  const ScanSpec s = node->as<ScanSpec>();
  const std::int64_t step = s.reverse ? -1 : 1;
  // The cotangent of b obeys the same recurrence backwards: l[i] = g[i] + a[i + 1] * l[i + 1]; that of a is l[i] * s[i - 1].
  const Ref l = graph::scan(shifted(node->operand(0), s.axis, -step), g, s.axis, !s.reverse);
  return k == 1 ? l : graph::mul(l, shifted(node, s.axis, step));
}

Ref scan_tangent(const Ref& node, std::span<const Ref> tangents) {
  const ScanSpec s = node->as<ScanSpec>();
  Ref drive = tangents[1];
  if (tangents[0]) drive = plus(graph::mul(tangents[0], shifted(node, s.axis, s.reverse ? -1 : 1)), drive);
  return drive ? graph::scan(node->operand(0), drive, s.axis, s.reverse) : Ref{};
}

Ref cast_adjoint(const Ref& node, const Ref& g) {
  const Ref x = node->operand(0);
  return is_floating(x.dtype()) ? graph::cast(g, x.dtype()) : Ref{};
}

Ref cast_tangent(const Ref& node, const Ref& tangent) { return is_floating(node->dtype) ? graph::cast(tangent, node->dtype) : Ref{}; }

std::vector<Ref> call_adjoint(const Ref& node, std::span<const Ref> cotangents, const std::vector<bool>& wanted) {
  const auto& c = node->as<CallSpec>();
  const std::vector<Ref> operands = derived_operands(node, cotangents);
  const CallAdjoint& a = call_adjoint_of(c, operands, cotangents, wanted);
  std::vector<Ref> gradients(wanted.size());
  if (a.wrt.empty()) return gradients;
  const std::vector<Ref> results = graph::call(a.body->name, a.attributes, operands, a.body);
  for (std::size_t i = 0; i < a.wrt.size(); ++i) gradients[static_cast<std::size_t>(a.wrt[i])] = results[i];
  return gradients;
}

std::vector<Ref> call_tangent(const Ref& node, std::span<const Ref> tangents) {
  const auto& c = node->as<CallSpec>();
  const std::vector<Ref> operands = derived_operands(node, tangents);
  const auto body = graph::make_function(c.name + ".jvp", operands, [&](std::span<const Ref> p) {
    std::vector<Ref> wrt, directions;
    std::size_t next = node->operand_count + c.body->results.size();
    for (std::size_t k = 0; k < tangents.size(); ++k) {
      if (!tangents[k]) continue;
      wrt.push_back(c.body->parameters[k]);
      directions.push_back(p[next++]);
    }
    std::vector<Ref> floating;
    for (const Ref& r : c.body->results)
      if (is_floating(r.dtype())) floating.push_back(r);
    return reading_results(jvp(floating, wrt, directions), c, p.subspan(node->operand_count, c.body->results.size()));
  });
  Attributes attributes = c.attributes;
  attributes.set("tangents", present(tangents));
  const std::vector<Ref> results = graph::call(c.name + ".jvp", std::move(attributes), operands, body);
  std::vector<Ref> all;
  std::size_t next = 0;
  for (std::uint32_t r = 0; r < node->result_count(); ++r) all.push_back(is_floating(node->dtype_of(r)) ? results[next++] : Ref{});
  return all;
}

}  // namespace cotan::rules

namespace cotan {

GradientCall gradient_call(const CallSpec& c, std::span<const Ref> operands, const std::vector<bool>& given, const std::vector<bool>& wanted) {
  std::vector<Ref> cotangents;
  for (const bool is_given : given) cotangents.push_back(is_given ? operands[0] : Ref());
  const rules::CallAdjoint& made = rules::call_adjoint_of(c, operands, cotangents, wanted);
  return {made.body, made.attributes};
}

}  // namespace cotan
