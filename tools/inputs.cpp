#include "tools/inputs.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "autograd/tape.h"
#include "backends/reference/reference.h"
#include "graph/builder.h"
#include "ops/philox.h"

namespace cotan::tools {
namespace {

constexpr std::int64_t usual_range = 8;  // of an integer that nothing bounds

// The bounds that checks put on parameters, from below 0 and from above.
using Bounds = std::unordered_map<const Node*, std::int64_t>;
// Those of bodies that were looked at before: a body may be called from many places.
using KnownBounds = std::unordered_map<const Function*, Bounds>;

// The bounds that checks put on the parameters of f. The text form bounds how deep bodies nest.
Bounds bounds_of(const Function& f, KnownBounds& known) {
  Bounds bounds;
  const auto bound = [&](const Node* n, std::int64_t below) {
    // Down what moves elements or changes their type.
    while (n->operand_count == 1 && (n->kind == Kind::sum || n->kind == Kind::cast || n->kind == Kind::check || n->kind == Kind::stop_gradient))
      n = n->operand(0).node();
    const auto [at, first] = bounds.try_emplace(n, below);
    if (!first) at->second = std::min(at->second, below);
  };
  for (const Node* n : topological(f.results)) {
    if (n->kind == Kind::check) bound(n->operand(0).node(), n->as<CheckSpec>().below);
    if (n->kind != Kind::call) continue;
    const Function& body = *n->as<CallSpec>().body;
    auto in_body = known.find(&body);
    if (in_body == known.end()) {
      Bounds made = bounds_of(body, known);
      in_body = known.emplace(&body, std::move(made)).first;
    }
    for (const auto& [parameter, below] : in_body->second)
      for (std::size_t k = 0; k < body.parameters.size(); ++k)
        if (body.parameters[k].node() == parameter) bound(n->operand(static_cast<std::uint32_t>(k)).node(), below);
  }
  return bounds;
}

}  // namespace

std::vector<Tensor> random_inputs(const Function& f, std::uint64_t seed) {
  KnownBounds known;
  const Bounds bounds = bounds_of(f, known);
  std::vector<Tensor> inputs;
  for (std::size_t k = 0; k < f.parameters.size(); ++k) {
    const Ref& p = f.parameters[k];
    const auto found = bounds.find(p.node());
    const double below = p.dtype() == DType::boolean ? 2 : static_cast<double>(found == bounds.end() ? usual_range : std::max<std::int64_t>(found->second, 1));
    reference::Array a = reference::Array::zeros(p.dtype(), p.shape());
    for (std::size_t i = 0; i < a.values.size(); ++i) {
      const double u = philox::uniform(seed, std::uint64_t{k} << 40, i, DType::f64);
      a.values[i] = is_floating(p.dtype()) ? 2 * u - 1 : std::floor(u * below);
    }
    const StorageRef storage = allocate(a.values.size() * size_of(p.dtype()));
    reference::to_buffer(a, storage->data(), View::dense(p.dtype(), p.shape()));
    inputs.push_back(Tensor::wrap(data_leaf(storage, p.dtype(), p.shape()), {}));
  }
  return inputs;
}

ProfiledFunction on_tensors(const Function& f) {
  return [f](const std::vector<Tensor>& inputs) {
    std::vector<std::pair<Ref, Ref>> bound;
    for (std::size_t k = 0; k < inputs.size(); ++k) bound.emplace_back(f.parameters[k], use(inputs[k].state()));
    std::vector<Tensor> results;
    for (const Ref& r : graph::substitute(f.results, bound)) results.push_back(Tensor::wrap(r, {}));
    return results;
  };
}

}  // namespace cotan::tools
