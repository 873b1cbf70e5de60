#include "graph/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <numeric>
#include <unordered_map>

#include "ops/error.h"
#include "ops/hash.h"
#include "ops/intern.h"
#include "ops/per_thread.h"
#include "ops/sizes.h"

namespace cotan::graph {
namespace {

// Makes the node and notes where the user's program asked for it.
Ref make(Kind kind, const ResultType& type, std::uint64_t spec_hash, std::shared_ptr<const void> spec, std::span<const Ref> operands,
         std::uint64_t identity = 0) {
  require_possible(type.shape);
  NodeTable& table = NodeTable::current();
  Ref r = table.make(kind, type, spec_hash, std::move(spec), operands, identity);
  const SourceLine line = CallSite::current_line();
  if (line.line > 0) table.add_origin(*r.node(), {line, RecordingScope::current(), RecordingMarks::current()});
  return r;
}

// The hash of an interned specification. Those in use are few and recorded again and again, so their hashes are kept; an entry keeps its specification alive,
// so that the address stays its own.
template <class Spec>
std::uint64_t hash_of_interned(const std::shared_ptr<const Spec>& spec) {
  struct Entry {
    std::shared_ptr<const Spec> spec;
    std::uint64_t hash = 0;
  };
  auto& recent = per_thread<std::array<Entry, 256>>([] {});
  Entry& entry = recent[(reinterpret_cast<std::uintptr_t>(spec.get()) >> 4) % recent.size()];
  if (entry.spec != spec) entry = {spec, spec->hash()};
  return entry.hash;
}

template <class Spec>
Ref make_with(Kind kind, const ResultType& type, Spec spec, std::span<const Ref> operands) {
  auto shared = interned(std::move(spec));
  const std::uint64_t h = hash_of_interned(shared);
  return make(kind, type, h, std::move(shared), operands);
}

std::uint64_t fresh_identity() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

Ref fresh_leaf(LeafSpec spec, DType dtype, const Shape& shape) {
  spec.identity = fresh_identity();
  const std::uint64_t identity = spec.identity, h = spec.hash();
  return make(Kind::leaf, {dtype, shape}, h, std::make_shared<const LeafSpec>(std::move(spec)), {}, identity);
}

void require_summed(const SumSpec& spec, DType dtype) {
  if (!is_computed(dtype) && !moves_entries(spec)) require_computed("sum", dtype);
}

// `hashes`: by which the factors are put in order.
Ref normal_sum(SumSpec spec, const Shape& shape, std::span<const Ref> factors, std::span<const Ref> tables, DType dtype,
               std::span<const std::uint64_t> hashes) {
  if (spec.output.size() != shape.rank() || spec.factors.size() != factors.size()) throw InternalError("a sum whose accesses do not fit its operands");
  for (std::size_t k = 0; k < factors.size(); ++k)
    if (spec.factors[k].size() != factors[k].shape().rank() || factors[k].dtype() != factors[0].dtype())
      throw InternalError(fmt::format("factor {} of a sum is {} {}", k, name_of(factors[k].dtype()), factors[k].shape().text()));
  // Equal tables are one.
  std::vector<int> same(tables.size());
  for (std::size_t t = 0; t < tables.size(); ++t) same[t] = static_cast<int>(std::find(tables.begin(), tables.end(), tables[t]) - tables.begin());
  auto merge = [&](IndexExpr& e) { e = rename_tables(e, same); };
  for (IndexExpr& e : spec.output) merge(e);
  for (Access& a : spec.factors) std::for_each(a.begin(), a.end(), merge);
  for (Guard& g : spec.guards) merge(g.expression);

  NormalSum normal = normal_form(std::move(spec), hashes);
  std::vector<Ref> operands;
  for (int k : normal.factors) operands.push_back(factors[static_cast<std::size_t>(k)]);
  for (int t : normal.tables) operands.push_back(tables[static_cast<std::size_t>(t)]);
  if (!factors.empty()) dtype = factors[0].dtype();
  require_summed(normal.spec, dtype);
  return make_with(Kind::sum, {dtype, shape}, std::move(normal.spec), operands);
}

}  // namespace

Ref parameter(std::string name, DType dtype, const Shape& shape) {
  LeafSpec spec;
  spec.role = LeafRole::parameter;
  spec.name = std::move(name);
  return make_with(Kind::leaf, {dtype, shape}, std::move(spec), {});
}

Ref iota(DType dtype, const Shape& shape, int axis) {
  if (axis < 0 || static_cast<std::size_t>(axis) >= shape.rank() || dtype == DType::boolean)
    throw InternalError(fmt::format("iota of {} {} along axis {}", name_of(dtype), shape.text(), axis));
  LeafSpec spec;
  spec.role = LeafRole::iota;
  spec.axis = axis;
  return make_with(Kind::leaf, {dtype, shape}, std::move(spec), {});
}

Ref scalar(double value, DType dtype) {
  LeafSpec spec;
  spec.role = LeafRole::scalar;
  spec.scalar = value;
  return fresh_leaf(std::move(spec), dtype, {});
}

Ref random(std::uint64_t key, std::uint64_t counter, DType dtype, const Shape& shape) {
  if (dtype != DType::f32 && dtype != DType::f64) fail(fmt::format("random numbers of type {}", name_of(dtype)), "Draw f32 or f64 and cast");
  LeafSpec spec;
  spec.role = LeafRole::random;
  spec.key = key;
  spec.counter = counter;
  return fresh_leaf(std::move(spec), dtype, shape);
}

Ref leaf(LeafRole role, std::string name, DType dtype, const Shape& shape, std::shared_ptr<void> payload) {
  LeafSpec spec;
  spec.role = role;
  spec.name = std::move(name);
  spec.payload = std::move(payload);
  return fresh_leaf(std::move(spec), dtype, shape);
}

Ref map(const FormulaRef& given, std::span<const Ref> operands, const Shape& shape) {
  if (given->operands.size() != operands.size()) throw InternalError(fmt::format("a formula of {} operands on {}", given->operands.size(), operands.size()));
  for (std::size_t k = 0; k < operands.size(); ++k)
    if (operands[k].shape() != shape || operands[k].dtype() != given->operands[k])
      throw InternalError(fmt::format("operand {} of a map of shape {} is {} {}", k, shape.text(), name_of(operands[k].dtype()), operands[k].shape().text()));
  // A row keeps its operands as they are; an anonymous formula names each once and only those it reads.
  FormulaRef f = given;
  std::vector<Ref> kept;
  if (f->row.empty()) {
    std::vector<int> at(operands.size(), -1);
    for (const FormulaNode& n : f->nodes) {
      if (n.atom != Atom::operand) continue;
      const auto k = static_cast<std::size_t>(n.a);
      auto found = std::find(kept.begin(), kept.end(), operands[k]);
      at[k] = static_cast<int>(found - kept.begin());
      if (found == kept.end()) kept.push_back(operands[k]);
    }
    bool same = kept.size() == operands.size();
    for (std::size_t k = 0; k < at.size(); ++k) same &= at[k] == static_cast<int>(k);
    if (same) {
      kept.clear();
    } else {
      std::vector<DType> types;
      for (const Ref& r : kept) types.push_back(r.dtype());
      f = make_formula(
          types,
          [&](std::span<const Ex> x) {
            std::vector<Ex> in;
            for (int k : at) in.push_back(k < 0 ? Ex(0) : x[static_cast<std::size_t>(k)]);
            return inlined(*given, in);
          },
          given->dtype());
      operands = kept;
    }
    if (f->nodes.back().atom == Atom::operand) return operands[static_cast<std::size_t>(f->nodes.back().a)];
  }
  const std::uint64_t h = hash_of_interned(f);
  const ResultType type{f->dtype(), shape};
  return make(Kind::map, type, h, std::move(f), operands);
}

Ref fill(double value, DType dtype, const Shape& shape) { return map(constant_formula(value, dtype), std::span<const Ref>{}, shape); }

Ref sum(SumSpec spec, const Shape& shape, std::span<const Ref> factors, std::span<const Ref> tables, DType dtype) {
  std::vector<std::uint64_t> hashes;
  for (const Ref& f : factors) hashes.push_back(f->structure + f.result());
  return normal_sum(std::move(spec), shape, factors, tables, dtype, hashes);
}

Ref sum_in_order(SumSpec spec, const Shape& shape, std::span<const Ref> factors, std::span<const Ref> tables, DType dtype) {
  std::vector<std::uint64_t> places(factors.size());
  std::iota(places.begin(), places.end(), std::uint64_t{0});
  return normal_sum(std::move(spec), shape, factors, tables, dtype, places);
}

Ref record_sum(const SumSpecRef& spec, const ResultType& type, std::span<const Ref> operands) {
  require_summed(*spec, type.dtype);
  return make(Kind::sum, type, hash_of_interned(spec), spec, operands);
}

namespace {

// Positions are i32, and kernels count the entries that compete for one result in them.
void require_countable(std::string_view what, double entries) {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  if (entries > static_cast<double>(most))
    fail(fmt::format("the positions found by {} among {:.0f} entries, where positions are i32 and at most {} entries have one", what, entries, most),
         "Search parts of the tensor, and then among what was found in each");
}

}  // namespace

Ref reduce(const ReduceSpec& spec, const Ref& x) {
  Shape shape(std::span<const std::int64_t>(spec.domain).first(static_cast<std::size_t>(spec.outputs)));
  const bool positions = gives_positions(spec.reduction);
  require_computed(name_of(spec.reduction), x.dtype());
  if (positions) {
    shape.push_back(static_cast<std::int64_t>(spec.domain.size()) - spec.outputs);
    double entries = 1;
    for (std::size_t i = static_cast<std::size_t>(spec.outputs); i < spec.domain.size(); ++i) entries *= static_cast<double>(spec.domain[i]);
    require_countable(name_of(spec.reduction), entries);
  }
  const Ref operands[] = {x};
  return make_with(Kind::reduce, {positions ? DType::i32 : x.dtype(), shape}, spec, operands);
}

Ref scan(const Ref& a, const Ref& b, int axis, bool reverse) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) throw InternalError("the operands of a scan differ in type");
  require_computed("scan", b.dtype());
  const Ref operands[] = {a, b};
  return make_with(Kind::scan, {b.dtype(), b.shape()}, ScanSpec{axis, reverse}, operands);
}

Ref order(const Ref& x, int axis, bool descending) {
  require_computed("order", x.dtype());
  if (axis >= 0 && static_cast<std::size_t>(axis) < x.shape().rank())
    require_countable("order", static_cast<double>(x.shape()[static_cast<std::size_t>(axis)]));
  const Ref operands[] = {x};
  return make_with(Kind::order, {DType::i32, x.shape()}, OrderSpec{axis, descending}, operands);
}

Ref cast(const Ref& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  const Ref operands[] = {x};
  return make(Kind::cast, {dtype, x.shape()}, 0, nullptr, operands);
}

Ref stop_gradient(const Ref& x) {
  const Ref operands[] = {x};
  return make(Kind::stop_gradient, {x.dtype(), x.shape()}, 0, nullptr, operands);
}

Ref barrier(const Ref& x, const Ref& after) {
  const Ref operands[] = {x, after};
  return make(Kind::barrier, {x.dtype(), x.shape()}, 0, nullptr, operands);
}

Ref check(const Ref& x, std::int64_t below, std::string what, std::string remedy) {
  if (kind_of(x.dtype()) != DTypeKind::integer) throw InternalError("a check of values that are not integers");
  const Ref operands[] = {x};
  return make_with(Kind::check, {x.dtype(), x.shape()}, CheckSpec{below, std::move(what), std::move(remedy)}, operands);
}

std::vector<Ref> call(std::string name, Attributes attributes, std::span<const Ref> operands, std::shared_ptr<const Function> body) {
  if (body->parameters.size() != operands.size() || body->results.empty()) throw InternalError(fmt::format("call {} does not fit its body", name));
  for (std::size_t k = 0; k < operands.size(); ++k)
    if (operands[k].shape() != body->parameters[k].shape() || operands[k].dtype() != body->parameters[k].dtype())
      throw InternalError(fmt::format("operand {} of call {} is {} {}", k, name, name_of(operands[k].dtype()), operands[k].shape().text()));
  CallSpec spec{std::move(name), std::move(attributes), std::move(body), {}};
  for (const Ref& r : spec.body->results) spec.results.push_back({r.dtype(), r.shape()});
  const std::uint64_t h = spec.hash();
  const ResultType first = spec.results[0];
  Ref r = make(Kind::call, first, h, std::make_shared<const CallSpec>(std::move(spec)), operands);
  std::vector<Ref> results;
  for (std::uint32_t i = 0; i < r->result_count(); ++i) results.emplace_back(r.node(), i);
  return results;
}

std::shared_ptr<const Function> make_function(std::string name, std::span<const Ref> operands,
                                              const std::function<std::vector<Ref>(std::span<const Ref>)>& body) {
  auto f = std::make_shared<Function>();
  f->name = std::move(name);
  for (std::size_t k = 0; k < operands.size(); ++k) f->parameters.push_back(parameter(fmt::format("#{}", k), operands[k].dtype(), operands[k].shape()));
  f->results = body(f->parameters);
  return f;
}

std::vector<Ref> rebuild(const Node& node, std::span<const Ref> operands) {
  switch (node.kind) {
    case Kind::sum: {  // operands may order differently now
      const auto& s = node.as<SumSpec>();
      return {sum(s, node.shape, operands.first(s.factors.size()), operands.subspan(s.factors.size()), node.dtype)};
    }
    case Kind::call: {
      const auto& c = node.as<CallSpec>();
      return call(c.name, c.attributes, operands, c.body);
    }
    case Kind::map: return {map(node.shared<Formula>(), operands, node.shape)};
    default: {
      const std::uint64_t h = node.kind == Kind::reduce  ? node.as<ReduceSpec>().hash()
                              : node.kind == Kind::scan  ? node.as<ScanSpec>().hash()
                              : node.kind == Kind::order ? node.as<OrderSpec>().hash()
                              : node.kind == Kind::check ? node.as<CheckSpec>().hash()
                                                         : 0;
      return {make(node.kind, {node.dtype, node.shape}, h, node.spec, operands)};
    }
  }
}

std::vector<Ref> substitute(std::span<const Ref> roots, std::span<const std::pair<Ref, Ref>> replacements) {
  std::unordered_map<Edge, Ref, RefHash> to;
  for (const auto& [from, by] : replacements) to.emplace(from.edge(), by);
  auto stop = [&](const Node& n) { return n.result_count() == 1 && to.contains(Edge{const_cast<Node*>(&n), 0}); };
  auto replaced = [&](const Edge& e) {
    auto found = to.find(e);
    return found != to.end() ? found->second : Ref(e);
  };
  for (Node* n : topological(roots, stop)) {
    if (n->operand_count == 0 || stop(*n)) continue;
    std::vector<Ref> operands;
    bool same = true;
    for (const Edge& e : n->operands()) {
      operands.push_back(replaced(e));
      same &= operands.back().edge() == e;
    }
    if (same) continue;
    const std::vector<Ref> made = rebuild(*n, operands);
    for (std::uint32_t r = 0; r < made.size(); ++r) to.try_emplace(Edge{n, r}, made[r]);
  }
  std::vector<Ref> results;
  for (const Ref& r : roots) results.push_back(replaced(r.edge()));
  return results;
}

}  // namespace cotan::graph
