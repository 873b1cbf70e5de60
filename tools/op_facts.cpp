#include "tools/op_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "autograd/differentiate.h"
#include "graph/builder.h"
#include "graph/text/print.h"
#include "graph/text/text.h"
#include "graph/verify.h"
#include "ops/error.h"
#include "tools/op_runs.h"

namespace cotan::tools {
namespace {

using rows::CaseOperand;

// The operation recorded, and the gradients of <cotangents, results> by its floating operands (empty Refs where there is none); `first_only`: of the first
// floating result of a structure.
struct Recorded {
  std::vector<Ref> operands, results, cotangents;
  std::vector<std::size_t> floating;  // operands
  std::vector<Ref> gradients;
};

std::string result_name(const Op& op, std::size_t r) {
  if (!op.results.empty()) return op.results[r];
  return op.result_type == "Tensor" ? "y" : fmt::format("y.{}", r);
}

Recorded recorded(const Op& op, const OpCase& c, std::span<const CaseOperand> types, bool first_only = false) {
  Recorded all;
  all.operands = parameters_of(op, types);
  all.results = c.record(all.operands);
  std::vector<Ref> outputs, seeds, wrt;
  std::vector<Ref> differentiable;
  for (const Ref& r : all.results)
    if (is_floating(r.dtype())) differentiable.push_back(r);
  for (std::size_t r = 0; r < all.results.size(); ++r) {
    const Ref& y = all.results[r];
    if (!is_floating(y.dtype())) continue;
    const std::string name = differentiable.size() == 1 ? "g" : fmt::format("g_{}", result_name(op, r));
    if (first_only && !op.results.empty() && !outputs.empty()) break;
    outputs.push_back(y);
    seeds.push_back(graph::parameter(name, y.dtype(), y.shape()));
  }
  for (std::size_t k = 0; k < all.operands.size(); ++k) {
    if (!all.operands[k] || !is_floating(all.operands[k].dtype())) continue;
    all.floating.push_back(k);
    wrt.push_back(all.operands[k]);
  }
  if (outputs.empty() || wrt.empty()) {
    all.floating.clear();
    return all;
  }
  all.cotangents = seeds;
  all.gradients = vjp(outputs, seeds, wrt);
  return all;
}

std::size_t given(const OpCase& c) {
  return static_cast<std::size_t>(std::ranges::count_if(c.operands, [](const CaseOperand& o) { return o.kind != CaseOperand::Kind::absent; }));
}

// The cases, those that leave out the fewest operands first: the first of them is the example.
std::vector<const OpCase*> telling_cases(const Op& op) {
  std::vector<const OpCase*> all;
  for (const OpCase& c : op.cases) all.push_back(&c);
  if (!op.takes_list) std::ranges::stable_sort(all, [](const OpCase* a, const OpCase* b) { return given(*a) > given(*b); });
  if (all.empty()) throw InternalError(fmt::format("the row of {} has no case", op.name));
  return all;
}

// Sizes times `factor`, but for those of 1. `windows_stay`: the third and later dimensions grow in the first operand only, which is an image where the others
// are windows.
std::vector<CaseOperand> enlarged(std::span<const CaseOperand> operands, std::int64_t factor, bool windows_stay) {
  std::vector<CaseOperand> large(operands.begin(), operands.end());
  for (std::size_t k = 0; k < large.size(); ++k) {
    Shape& shape = large[k].shape;
    for (std::size_t d = 0; d < shape.rank(); ++d)
      if (shape[d] > 1 && (d < 2 || k == 0 || !windows_stay)) shape[d] *= factor;
    large[k].below *= factor;
  }
  return large;
}

// A case in sizes at which it is worth a primitive, where its options allow that.
Recorded large_example(const Op& op) {
  const std::vector<const OpCase*> cases = telling_cases(op);
  for (const OpCase* c : cases)
    for (const bool windows_stay : {true, false})
      for (const std::int64_t factor : {64, 16, 4}) try {
          return recorded(op, *c, enlarged(c->operands, factor, windows_stay), true);
        } catch (const Error&) {
          // its options hold for its sizes only: try another way
        }
  return recorded(op, *cases[0], cases[0]->operands, true);
}

// The formula of an elementwise row, floating operands being of type `dtype`, parameters as in the example. Conditions are bool, unless there is nothing else.
FormulaRef formula_on(const Op& op, DType dtype) {
  const std::vector<CaseOperand>& operands = op.cases[0].operands;
  const bool conditions_only = std::ranges::all_of(operands, [](const CaseOperand& o) { return o.kind == CaseOperand::Kind::booleans; });
  std::vector<DType> types;
  for (const CaseOperand& o : operands) types.push_back(conditions_only ? dtype : o.dtype(dtype));
  return cotan::formula_of(*op.row, types, parameters_of(*op.row));
}

std::vector<DType> all_types() {
  std::vector<DType> all;
  for (std::size_t i = 0; i < dtype_count(); ++i) all.push_back(static_cast<DType>(i));
  return all;
}

// What doing this throws; nothing where it does not.
template <class Attempt>
std::optional<OpRefusal> refusal_of(Attempt&& attempt) {
  try {
    attempt();
  } catch (const Error& e) {
    return OpRefusal{e.problem(), e.remedy()};
  }
  return std::nullopt;
}

}  // namespace

OpExample example_of(const Op& op) {
  const OpCase& c = *telling_cases(op)[0];
  const Recorded all = recorded(op, c, c.operands);
  OpExample example{c.attributes, "", !all.gradients.empty(), {}};
  Function f;
  f.name = op.name;
  for (const Ref& p : all.operands)
    if (p) f.parameters.push_back(p);
  f.parameters.insert(f.parameters.end(), all.cotangents.begin(), all.cotangents.end());
  for (std::size_t r = 0; r < all.results.size(); ++r) {
    f.results.push_back(all.results[r]);
    f.result_names.push_back(result_name(op, r));
  }
  for (std::size_t k = 0; k < all.gradients.size(); ++k) {
    const std::string& name = all.operands[all.floating[k]]->as<LeafSpec>().name;
    if (!all.gradients[k]) {
      example.constant.push_back(name);
      continue;
    }
    f.results.push_back(all.gradients[k]);
    f.result_names.push_back(fmt::format("d_{}", name));
  }
  verify(f);
  example.text = to_text(f);
  return example;
}

OpRuns large_runs_of(const Op& op) {
  const Recorded all = large_example(op);
  OpRuns runs{runs_of(all.results), {}};
  for (std::size_t k = 0; k < all.gradients.size(); ++k) {
    if (!all.gradients[k]) continue;
    const Ref wanted[] = {all.gradients[k]};
    runs.gradients.emplace_back(all.operands[all.floating[k]]->as<LeafSpec>().name, runs_of(wanted, all.results));
  }
  return runs;
}

std::string formula_of(const Op& op) {
  Function f;
  f.parameters = parameters_of(op, op.cases[0].operands);
  const Ref value = op.cases[0].record(f.parameters)[0];
  return text_form::formula_text(value->formula(), op.operands, text_form::Names(f));
}

std::vector<std::string> types_of(const Op& op) {
  std::vector<std::string> types;
  for (DType t : all_types())
    if (!refusal_of([&] { static_cast<void>(formula_on(op, t)); })) types.emplace_back(name_of(t));
  return types;
}

std::vector<OpRefusal> elementwise_refusals() {
  const auto x = [](DType dtype, std::int64_t size) { return graph::parameter("x", dtype, {size}); };
  std::vector<OpRefusal> all;
  for (const auto& refusal :
       {refusal_of([&] { static_cast<void>(graph::exp(x(i32, 3))); }), refusal_of([&] { static_cast<void>(graph::exp(x(bf16, 3))); }),
        refusal_of([&] { static_cast<void>(graph::add(x(f32, 3), x(i32, 3))); }), refusal_of([&] { static_cast<void>(graph::add(x(f32, 3), x(f32, 4))); })})
    all.push_back(refusal.value());
  return all;
}

std::vector<OpRefusal> refusals_of(const Op& op) {
  std::vector<OpRefusal> all;
  const auto keep = [&](const std::optional<OpRefusal>& refusal) {
    if (refusal && std::ranges::find(all, *refusal) == all.end()) all.push_back(*refusal);
  };
  for (const OpCase& c : op.bad_cases) {
    const std::optional<OpRefusal> refusal = refusal_of([&] { static_cast<void>(c.record(parameters_of(op, c.operands))); });
    if (!refusal) throw InternalError(fmt::format("a bad case of {} was recorded,{}", op.name, c.attributes.text()));
    keep(refusal);
  }
  return all;
}

}  // namespace cotan::tools
