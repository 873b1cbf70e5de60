#include "graph/builder.h"
#include "graph/text/print.h"
#include "graph/text/text.h"

namespace cotan {

Function close_over_leaves(std::span<const Ref> roots, std::vector<std::string> names, std::vector<Ref>* leaves) {
  Function f;
  f.results.assign(roots.begin(), roots.end());
  f.result_names = std::move(names);
  // Parameters that the graph has already keep their names, so they are named first.
  for (Node* n : topological(roots))
    if (n->kind == Kind::leaf && n->as<LeafSpec>().role == LeafRole::parameter) f.parameters.emplace_back(n);
  const text_form::Names all(f);
  std::vector<std::pair<Ref, Ref>> replacements;
  f.parameters.clear();
  if (leaves != nullptr) leaves->clear();
  for (const text_form::Names::Parameter& p : all.parameters()) {
    const Ref leaf(p.leaf);
    f.parameters.push_back(graph::parameter(p.name, leaf.dtype(), leaf.shape()));
    if (f.parameters.back() != leaf) replacements.emplace_back(leaf, f.parameters.back());
    if (leaves != nullptr) leaves->push_back(leaf);
  }
  f.results = graph::substitute(roots, replacements);
  return f;
}

}  // namespace cotan
