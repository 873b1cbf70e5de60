// The rules of single nodes, one function for each kind.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "graph/text/formula_rules.h"
#include "graph/verify.h"
#include "ops/elementwise.h"

namespace cotan {
namespace {

const Shape& shape_of(const Edge& e) { return e.node->shape_of(e.result); }
DType dtype_of(const Edge& e) { return e.node->dtype_of(e.result); }

std::string count_fault(const Node& n, std::size_t count) {
  return n.operand_count == count ? "" : fmt::format("{} with {} operands instead of {}", name_of(n.kind), n.operand_count, count);
}

// The result has the operand's shape and this type.
std::string same_shape_fault(const Node& n, DType dtype) {
  if (n.dtype != dtype) return fmt::format("{} gives {} instead of {}", name_of(n.kind), name_of(n.dtype), name_of(dtype));
  return n.shape == shape_of(n.operands()[0]) ? "" : fmt::format("{} of another shape than its operand", name_of(n.kind));
}

bool all_different(std::span<const Edge> edges) {
  const std::unordered_set<Edge, RefHash> once(edges.begin(), edges.end());
  return once.size() == edges.size();
}

std::string axis_fault(const Node& n, int axis) {
  return axis >= 0 && static_cast<std::size_t>(axis) < n.shape.rank() ? "" : fmt::format("axis {} of a {} of rank {}", axis, name_of(n.kind), n.shape.rank());
}

std::string leaf_fault(const Node& n) {
  const auto& leaf = n.as<LeafSpec>();
  if (n.operand_count != 0) return "a leaf with operands";
  const bool fresh = leaf.role != LeafRole::parameter && leaf.role != LeafRole::iota;
  if (fresh == (leaf.identity == 0)) return fmt::format("a leaf of role {} with identity {}", name_of(leaf.role), leaf.identity);
  if (leaf.role == LeafRole::scalar && n.shape.rank() != 0) return "a scalar operand with dimensions";
  if (leaf.role == LeafRole::random && n.dtype != DType::f32 && n.dtype != DType::f64) return "random numbers that are neither f32 nor f64";
  if (leaf.role == LeafRole::iota) return n.dtype == DType::boolean ? "iota of bool" : axis_fault(n, leaf.axis);
  return "";
}

std::string row_fault(const Formula& f) {
  const ElementwiseRow* row = find_elementwise(f.row);
  if (row == nullptr) return fmt::format("a formula of the row '{}', which there is not", f.row);
  if (row->operands.size() != f.operands.size()) return fmt::format("the row '{}' on {} operands", f.row, f.operands.size());
  std::vector<double> parameters;
  for (const ElementwiseRow::Parameter& p : row->parameters) {
    const Attribute* given = f.attributes.find(p.name);
    if (given == nullptr || !std::holds_alternative<double>(*given)) return fmt::format("the row '{}' without its parameter {}", f.row, p.name);
    parameters.push_back(std::get<double>(*given));
  }
  const FormulaRef expected = formula_of(static_cast<ElementwiseId>(row - elementwise_rows().data()), f.operands, parameters);
  return expected->nodes == f.nodes && expected->attributes == f.attributes ? "" : fmt::format("a formula named '{}' that is not the row's", f.row);
}

std::string map_fault(const Node& n) {
  const Formula& f = n.formula();
  if (std::string fault = text_form::fault_of(f); !fault.empty()) return fault;
  if (std::string fault = count_fault(n, f.operands.size()); !fault.empty()) return fault;
  if (n.dtype != f.dtype()) return fmt::format("a map of type {} whose formula gives {}", name_of(n.dtype), name_of(f.dtype()));
  for (std::size_t k = 0; k < n.operand_count; ++k) {
    const Edge& e = n.operands()[k];
    if (dtype_of(e) != f.operands[k]) return fmt::format("operand {} is {}, the formula takes {}", k, name_of(dtype_of(e)), name_of(f.operands[k]));
    if (shape_of(e) != n.shape) return fmt::format("operand {} has shape {}, the map {}", k, shape_of(e).text(), n.shape.text());
  }
  if (!f.row.empty()) return row_fault(f);
  const auto named = static_cast<std::size_t>(std::count_if(f.nodes.begin(), f.nodes.end(), [](const FormulaNode& m) { return m.atom == Atom::operand; }));
  if (named != n.operand_count) return "an anonymous formula that does not read all its operands";
  return all_different(n.operands()) ? "" : "an anonymous formula on the same operand twice";
}

struct Tables {
  std::span<const Edge> tensors;
  std::vector<bool> used;
};

std::string expression_fault(const IndexExpr& e, std::size_t indices, Tables& tables) {
  for (const IndexTerm& t : e.terms) {
    if (t.coefficient == 0) return "an index term with coefficient 0";
    if (t.index >= 0) {
      if (static_cast<std::size_t>(t.index) >= indices) return fmt::format("index {} of a domain of {}", t.index, indices);
      continue;
    }
    if (t.table < 0 || static_cast<std::size_t>(t.table) >= tables.tensors.size()) return fmt::format("table {} of {}", t.table, tables.tensors.size());
    const auto table = static_cast<std::size_t>(t.table);
    tables.used[table] = true;
    if (t.at.size() != shape_of(tables.tensors[table]).rank())
      return fmt::format("{} indices into a table of shape {}", t.at.size(), shape_of(tables.tensors[table]).text());
    for (const IndexExpr& inner : t.at)
      if (std::string fault = expression_fault(inner, indices, tables); !fault.empty()) return fault;
  }
  return "";
}

std::string access_fault(std::string_view what, const Access& access, const Shape& shape, std::size_t indices, Tables& tables) {
  if (access.size() != shape.rank()) return fmt::format("{} has {} index expressions for shape {}", what, access.size(), shape.text());
  for (const IndexExpr& e : access)
    if (std::string fault = expression_fault(e, indices, tables); !fault.empty()) return fmt::format("{}: {}", what, fault);
  return "";
}

std::string domain_fault(const Domain& domain) {
  return std::any_of(domain.begin(), domain.end(), [](std::int64_t size) { return size < 0; }) ? "an index of negative size" : "";
}

std::string normal_form_fault(const Node& n, const SumSpec& s) {
  std::vector<std::uint64_t> hashes;
  for (std::size_t k = 0; k < s.factors.size(); ++k) hashes.push_back(n.operands()[k].node->structure + n.operands()[k].result);
  SumSpec given = s;
  given.coefficient = 1;  // NaN differs from itself
  const NormalSum normal = normal_form(given, hashes);
  auto in_order = [](const std::vector<int>& numbers) {
    for (std::size_t k = 0; k < numbers.size(); ++k)
      if (numbers[k] != static_cast<int>(k)) return false;
    return true;
  };
  if (!in_order(normal.factors)) return "the factors of a sum are not in the order of its normal form";
  if (!in_order(normal.tables)) return "the tables of a sum are not in the order of its normal form";
  return normal.spec == given ? "" : "a sum that is not in normal form";
}

std::string sum_fault(const Node& n) {
  const auto& s = n.as<SumSpec>();
  if (s.factors.size() > n.operand_count) return fmt::format("a sum of {} factors with {} operands", s.factors.size(), n.operand_count);
  Tables tables{n.operands().subspan(s.factors.size()), std::vector<bool>(n.operand_count - s.factors.size(), false)};
  for (std::size_t t = 0; t < tables.tensors.size(); ++t)
    if (kind_of(dtype_of(tables.tensors[t])) != DTypeKind::integer) return fmt::format("table {} of a sum is {}", t, name_of(dtype_of(tables.tensors[t])));
  if (!all_different(tables.tensors)) return "a table of a sum stands twice";
  if (std::string fault = domain_fault(s.domain); !fault.empty()) return fault;
  if (std::string fault = access_fault("the result of a sum", s.output, n.shape, s.domain.size(), tables); !fault.empty()) return fault;
  for (std::size_t k = 0; k < s.factors.size(); ++k) {
    const Edge& e = n.operands()[k];
    if (dtype_of(e) != n.dtype) return fmt::format("factor {} of a sum of {} is {}", k, name_of(n.dtype), name_of(dtype_of(e)));
    if (std::string fault = access_fault(fmt::format("factor {} of a sum", k), s.factors[k], shape_of(e), s.domain.size(), tables); !fault.empty())
      return fault;
  }
  for (const Guard& g : s.guards)
    if (std::string fault = expression_fault(g.expression, s.domain.size(), tables); !fault.empty()) return fmt::format("a guard of a sum: {}", fault);
  if (!is_computed(n.dtype) && !moves_entries(s)) return fmt::format("a sum that computes with {}", name_of(n.dtype));
  if (std::find(tables.used.begin(), tables.used.end(), false) != tables.used.end()) return "a table that the sum does not read";
  return normal_form_fault(n, s);
}

std::string reduce_fault(const Node& n) {
  const auto& r = n.as<ReduceSpec>();
  if (std::string fault = count_fault(n, 1); !fault.empty()) return fault;
  const bool positions = gives_positions(r.reduction);
  const Edge& x = n.operands()[0];
  if (!is_computed(dtype_of(x))) return fmt::format("a reduction of {}", name_of(dtype_of(x)));
  if (n.dtype != (positions ? DType::i32 : dtype_of(x))) return fmt::format("a reduction of {} gives {}", name_of(dtype_of(x)), name_of(n.dtype));
  if (r.outputs < 0 || static_cast<std::size_t>(r.outputs) > r.domain.size())
    return fmt::format("a reduction of {} indices keeps {}", r.domain.size(), r.outputs);
  if (std::string fault = domain_fault(r.domain); !fault.empty()) return fault;
  Shape shape(std::span<const std::int64_t>(r.domain).first(static_cast<std::size_t>(r.outputs)));
  if (positions) shape.push_back(static_cast<std::int64_t>(r.domain.size()) - r.outputs);
  if (shape != n.shape) return fmt::format("a reduction of shape {} whose domain gives {}", n.shape.text(), shape.text());
  Tables none{{}, {}};
  return access_fault("the operand of a reduction", r.access, shape_of(x), r.domain.size(), none);
}

std::string scan_fault(const Node& n) {
  if (std::string fault = count_fault(n, 2); !fault.empty()) return fault;
  if (dtype_of(n.operands()[0]) != dtype_of(n.operands()[1]) || shape_of(n.operands()[0]) != shape_of(n.operands()[1]))
    return "the operands of a scan differ in type";
  if (n.dtype == DType::boolean || !is_computed(n.dtype)) return fmt::format("a scan of {}", name_of(n.dtype));
  if (std::string fault = same_shape_fault(n, dtype_of(n.operands()[0])); !fault.empty()) return fault;
  return axis_fault(n, n.as<ScanSpec>().axis);
}

std::string order_fault(const Node& n) {
  if (std::string fault = count_fault(n, 1); !fault.empty()) return fault;
  if (!is_computed(dtype_of(n.operands()[0]))) return fmt::format("an order of {}", name_of(dtype_of(n.operands()[0])));
  if (std::string fault = same_shape_fault(n, DType::i32); !fault.empty()) return fault;
  return axis_fault(n, n.as<OrderSpec>().axis);
}

std::string check_fault(const Node& n) {
  if (std::string fault = count_fault(n, 1); !fault.empty()) return fault;
  if (kind_of(n.dtype) != DTypeKind::integer) return "a check of values that are not integers";
  return same_shape_fault(n, dtype_of(n.operands()[0]));
}

std::string call_fault(const Node& n) {
  const auto& c = n.as<CallSpec>();
  if (!c.body) return fmt::format("a call of {} without a body", c.name);
  if (std::string fault = count_fault(n, c.body->parameters.size()); !fault.empty()) return fmt::format("{}: {}", c.name, fault);
  for (std::size_t k = 0; k < n.operand_count; ++k) {
    const Ref& p = c.body->parameters[k];
    if (!p || p.dtype() != dtype_of(n.operands()[k]) || p.shape() != shape_of(n.operands()[k]))
      return fmt::format("operand {} of a call of {} does not fit the body", k, c.name);
  }
  if (c.results.empty() || c.results.size() != c.body->results.size())
    return fmt::format("a call of {} with {} results, its body has {}", c.name, c.results.size(), c.body->results.size());
  for (std::size_t r = 0; r < c.results.size(); ++r)
    if (!c.body->results[r] || c.results[r] != ResultType{c.body->results[r].dtype(), c.body->results[r].shape()})
      return fmt::format("result {} of a call of {} has another type than in the body", r, c.name);
  return n.dtype == c.results[0].dtype && n.shape == c.results[0].shape ? "" : fmt::format("a call of {} with another type than its first result", c.name);
}

}  // namespace

std::string fault_of(const Node& n) {
  for (const Edge& e : n.operands()) {
    if (e.node == nullptr) return "an operand that is no node";
    if (e.node->table != n.table) return "an operand of another thread";
    if (e.result != 0 && (e.node->kind != Kind::call || !e.node->spec || e.result >= e.node->result_count()))
      return fmt::format("an operand's result {}, which there is not", e.result);
  }
  for (std::int64_t size : n.shape)
    if (size < 0) return fmt::format("the shape {}", n.shape.text());
  if (!n.spec && n.kind != Kind::cast && n.kind != Kind::stop_gradient && n.kind != Kind::barrier)
    return fmt::format("a {} without a specification", name_of(n.kind));
  switch (n.kind) {
    case Kind::leaf: return leaf_fault(n);
    case Kind::map: return map_fault(n);
    case Kind::sum: return sum_fault(n);
    case Kind::reduce: return reduce_fault(n);
    case Kind::scan: return scan_fault(n);
    case Kind::order: return order_fault(n);
    case Kind::call: return call_fault(n);
    case Kind::check: return check_fault(n);
    case Kind::cast:
      if (std::string fault = count_fault(n, 1); !fault.empty()) return fault;
      return n.dtype == dtype_of(n.operands()[0]) ? "a cast to the type that its operand has" : same_shape_fault(n, n.dtype);
    case Kind::barrier:
      if (std::string fault = count_fault(n, 2); !fault.empty()) return fault;
      return n.shape == n.operand(0).shape() && n.dtype == n.operand(0).dtype() ? "" : "a barrier of another type than its operand";
    case Kind::stop_gradient:
      if (std::string fault = count_fault(n, 1); !fault.empty()) return fault;
      return same_shape_fault(n, dtype_of(n.operands()[0]));
  }
  return "an unknown kind of node";
}

}  // namespace cotan
