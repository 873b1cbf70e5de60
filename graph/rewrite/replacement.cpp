#include "graph/rewrite/replacement.h"

#include <algorithm>

#include "graph/builder.h"
#include "graph/composites/composites.h"
#include "ops/error.h"

namespace cotan::rewrite {
namespace {

// The formula up to a node, which is its value then.
Formula prefix(const Formula& f, int at) {
  Formula part;
  part.operands = f.operands;
  part.nodes.assign(f.nodes.begin(), f.nodes.begin() + at + 1);
  return part;
}

// The formula with a further operand in the place of a node.
Formula with_hole(const Formula& f, int at) {
  Formula around = prefix(f, static_cast<int>(f.nodes.size()) - 1);
  const DType dtype = f.nodes[static_cast<std::size_t>(at)].dtype;
  around.nodes[static_cast<std::size_t>(at)] = {Atom::operand, dtype, static_cast<int>(f.operands.size()), -1, -1, 0};
  around.operands.push_back(dtype);
  return around;
}

// A shape for a form's argument: that of what it reads. `small`: the argument of a spread, which is as large as `full` but along the axis.
Shape shape_inside(Form form, int axis, const Shape& full, std::span<const Ref> variables, const Piece& x) {
  if (form != Form::spread) return full;
  for (const FormulaNode& n : x.formula->nodes)
    if (n.atom == Atom::operand && static_cast<std::size_t>(n.a) < variables.size() && variables[static_cast<std::size_t>(n.a)])
      return variables[static_cast<std::size_t>(n.a)].shape();
  Shape small = full;
  small[static_cast<std::size_t>(axis)] = 1;
  return small;
}

Ref form_of(const Piece::FormUse& use, std::span<const Ref> variables, int axis, const Shape& full, std::vector<Ref>* calls) {
  const Ref x = nodes_of(*use.x, variables, shape_inside(use.form, axis, full, variables, *use.x), axis, full, calls);
  auto call = [&](Ref made) {
    if (calls != nullptr) calls->push_back(made);
    return made;
  };
  switch (use.form) {
    case Form::total: return graph::sum(x, {.dim = axis, .keepdim = true});
    case Form::spread: return spread_along(x, axis, full);
    case Form::softmax: return call(graph::softmax(x, {.dim = axis}));
    case Form::log_softmax: return call(graph::log_softmax(x, {.dim = axis}));
  }
  throw InternalError("a form without nodes");
}

// The row's own node, where the piece is a row of nodes: named, and differentiable by the form that the row states.
Ref row_of(const Piece& piece, std::span<const Ref> operands) {
  if (piece.row == nullptr) return {};
  std::vector<Ref> in;
  for (std::size_t k : piece.row_operands) {
    if (!operands[k]) return {};
    in.push_back(operands[k]);
  }
  std::vector<double> parameters;
  for (const ElementwiseRow::Parameter& p : piece.row->parameters) parameters.push_back(p.standard);
  return graph::elementwise(static_cast<ElementwiseId>(piece.row - elementwise_rows().data()), in, parameters);
}

// Operands of a formula under construction, each once.
class OperandList {
 public:
  std::size_t add(const Ref& r) {
    const auto found = std::find(refs_.begin(), refs_.end(), r);
    if (found != refs_.end()) return static_cast<std::size_t>(found - refs_.begin());
    refs_.push_back(r);
    return refs_.size() - 1;
  }
  void add_all(const Node& n) {
    for (const Edge& e : n.operands()) add(Ref(e));
  }
  [[nodiscard]] std::vector<DType> types() const {
    std::vector<DType> types;
    for (const Ref& r : refs_) types.push_back(r.dtype());
    return types;
  }
  [[nodiscard]] std::vector<Ex> of(const Node& n, std::span<const Ex> all) {
    std::vector<Ex> in;
    for (const Edge& e : n.operands()) in.push_back(all[add(Ref(e))]);
    return in;
  }
  [[nodiscard]] std::span<const Ref> refs() const { return refs_; }

 private:
  std::vector<Ref> refs_;
};

}  // namespace

Ref spread_along(const Ref& x, int axis, const Shape& full) {
  SumSpec spec;
  Access in;
  const bool keepdim = x.shape().rank() == full.rank();
  for (std::size_t d = 0; d < full.rank(); ++d) {
    spec.domain.push_back(full[d]);
    spec.output.push_back(index_of(static_cast<int>(d)));
    if (static_cast<int>(d) != axis)
      in.push_back(index_of(static_cast<int>(d)));
    else if (keepdim)
      in.emplace_back(0);
  }
  spec.factors.push_back(std::move(in));
  const Ref factors[] = {x};
  return graph::sum(std::move(spec), full, factors);
}

Ref extracted(const Node& map, int at) {
  const Formula part = prefix(map.formula(), at);
  const FormulaRef f = make_formula(
      part.operands, [&](std::span<const Ex> x) { return inlined(part, x); }, part.dtype());
  std::vector<Ref> operands;
  for (const Edge& e : map.operands()) operands.emplace_back(e);
  return graph::map(f, operands, map.shape);
}

Ref with_operand_at(const Ref& map, int at, const Ref& operand) {
  const Formula around = with_hole(map->formula(), at);
  const FormulaRef f = make_formula(
      around.operands, [&](std::span<const Ex> x) { return inlined(around, x); }, around.dtype());
  std::vector<Ref> operands;
  for (const Edge& e : map->operands()) operands.emplace_back(e);
  operands.push_back(operand);
  return graph::map(f, operands, map.shape());
}

Ref nodes_of(const Piece& piece, std::span<const Ref> variables, const Shape& shape, int axis, const Shape& full, std::vector<Ref>* calls) {
  // Operands that the formula does not read stand for nothing: a fill takes their place until the map drops them.
  std::vector<Ref> operands;
  for (std::size_t k = 0; k < piece.formula->operands.size(); ++k) {
    const bool read = std::any_of(piece.formula->nodes.begin(), piece.formula->nodes.end(),
                                  [&](const FormulaNode& n) { return n.atom == Atom::operand && static_cast<std::size_t>(n.a) == k; });
    if (!read)
      operands.push_back(graph::fill(0, piece.formula->operands[k], shape));
    else
      operands.push_back(k < variables.size() ? variables[k] : form_of(piece.forms[k - variables.size()], variables, axis, full, calls));
  }
  const Ref row = row_of(piece, operands);
  return row ? row : graph::map(piece.formula, operands, shape);
}

Ref replaced_in(const Ref& map, int at, const Piece& right, const Match& match, std::vector<Ref>& calls) {
  const Formula& f = map->formula();
  OperandList operands;
  operands.add_all(*map.node());
  // What the variables are: read, or computed here again.
  std::vector<Ref> as_nodes(match.variables.size());
  for (std::size_t v = 0; v < match.variables.size(); ++v) {
    if (!match.variables[v]) continue;
    const Term& t = *match.variables[v];
    if (t.node == map.node()) continue;
    if (t.is_result())
      operands.add(t.result());
    else
      operands.add_all(*t.node);
  }
  if (!right.forms.empty())
    for (std::size_t v = 0; v < match.variables.size(); ++v)
      if (match.variables[v])
        as_nodes[v] = match.variables[v]->is_result() ? match.variables[v]->result() : extracted(*match.variables[v]->node, match.variables[v]->at);
  std::vector<std::size_t> forms;
  std::vector<Ref> row_operands(match.variables.size());
  for (std::size_t v = 0; v < match.variables.size(); ++v)
    if (match.variables[v] && match.variables[v]->is_result()) row_operands[v] = match.variables[v]->result();
  for (const Piece::FormUse& use : right.forms) {
    row_operands.push_back(form_of(use, as_nodes, match.axis.value_or(0), match.full, &calls));
    forms.push_back(operands.add(row_operands.back()));
  }
  if (static_cast<std::size_t>(at) + 1 == f.nodes.size())
    if (const Ref row = row_of(right, row_operands)) return row;

  const Formula around = with_hole(f, at);
  const FormulaRef made = make_formula(
      operands.types(),
      [&](std::span<const Ex> x) {
        std::vector<Ex> in;
        for (std::size_t v = 0; v < match.variables.size(); ++v) {
          if (!match.variables[v]) {
            in.emplace_back(0);
            continue;
          }
          const Term& t = *match.variables[v];
          if (const auto number = t.constant())
            in.push_back(typed(Ex(*number), t.dtype()));
          else if (t.node != map.node() && t.is_result())
            in.push_back(x[operands.add(t.result())]);
          else
            in.push_back(inlined(prefix(t.node->formula(), t.at), operands.of(*t.node, x)));
        }
        for (std::size_t i : forms) in.push_back(x[i]);
        const LiteralScope literals(right.formula->dtype());
        std::vector<Ex> outside = operands.of(*map.node(), x);
        outside.push_back(typed(inlined(*right.formula, in), right.formula->dtype()));
        return inlined(around, outside);
      },
      f.dtype());
  return graph::map(made, operands.refs(), map.shape());
}

}  // namespace cotan::rewrite
