#include "graph/verify.h"

#include <fmt/format.h>

#include <unordered_set>

#include "graph/text/print.h"
#include "ops/error.h"

namespace cotan {
namespace {

constexpr std::size_t most_shown = 6;  // neighbours of one sort

// The node between its operands and its readers.
std::string neighbourhood(const Function& f, const Node* node) {
  const text_form::Names names(f);
  std::vector<const Node*> above, below;
  for (const Edge& e : node->operands())
    if (e.node != nullptr && std::find(above.begin(), above.end(), e.node) == above.end()) above.push_back(e.node);
  for (const Node* n : names.statements())
    for (const Edge& e : n->operands())
      if (e.node == node && (below.empty() || below.back() != n)) below.push_back(n);
  std::string out;
  auto show = [&](const std::vector<const Node*>& nodes, std::string_view what) {
    for (std::size_t i = 0; i < nodes.size() && i < most_shown; ++i)
      out += fmt::format("\n    {}", text_form::prints_as_parameter(*nodes[i]) ? fmt::format("(parameter) {}", names.of({const_cast<Node*>(nodes[i]), 0}))
                                                                               : text_form::statement_text(*nodes[i], names, nullptr));
    if (nodes.size() > most_shown) out += fmt::format("\n    ... and {} more {}", nodes.size() - most_shown, what);
  };
  show(above, "operands");
  out += fmt::format("\n  > {}", text_form::statement_text(*node, names, nullptr));
  show(below, "readers");
  return out;
}

[[noreturn]] void reject(const Function& f, const Node* node, const std::string& fault, bool body) {
  const std::string where = fmt::format("{}{}{}", body ? "the body " : "the function ", f.name.empty() ? "without a name" : f.name, node != nullptr ? ":" : "");
  throw InternalError(fmt::format("verify: {}, in {}{}\n", fault, where, node != nullptr ? neighbourhood(f, node) : ""));
}

// One function's own rules; the bodies it calls are added to `bodies`.
void verify_one(const Function& f, bool body, std::vector<const Function*>& bodies) {
  std::unordered_set<const Node*> parameters;
  for (const Ref& p : f.parameters) {
    if (!p || p->kind != Kind::leaf || p.result() != 0) reject(f, p ? p.node() : nullptr, "a parameter is not a leaf", body);
    if (!parameters.insert(p.node()).second) reject(f, p.node(), "a parameter stands twice", body);
  }
  if (!f.result_names.empty() && f.result_names.size() != f.results.size()) reject(f, nullptr, "the results' names do not fit the results", body);
  for (const Ref& r : f.results)
    if (!r) reject(f, nullptr, "a result is no node", body);
  std::vector<Ref> roots = f.results;
  roots.insert(roots.end(), f.parameters.begin(), f.parameters.end());
  for (const Node* n : topological(roots)) {
    if (n->table != &NodeTable::current()) reject(f, n, "a node of another thread", body);
    if (std::string fault = fault_of(*n); !fault.empty()) reject(f, n, fault, body);
    if (n->kind == Kind::leaf && !parameters.contains(n)) {
      const LeafRole role = n->as<LeafSpec>().role;
      if (role == LeafRole::parameter) reject(f, n, "a parameter that the function does not list", body);
      if (body && role != LeafRole::iota) reject(f, n, "a body that reads a leaf beside its parameters", body);
    }
    if (n->kind == Kind::call) bodies.push_back(n->as<CallSpec>().body.get());
  }
  for (const Ref& r : f.results)
    if (r.result() >= r->result_count()) reject(f, r.node(), fmt::format("the function returns result {}, there are {}", r.result(), r->result_count()), body);
}

}  // namespace

void verify(const Function& f) {
  std::vector<const Function*> bodies;
  verify_one(f, false, bodies);
  std::unordered_set<const Function*> done;
  while (!bodies.empty()) {
    const Function* body = bodies.back();
    bodies.pop_back();
    if (done.insert(body).second) verify_one(*body, true, bodies);
  }
}

}  // namespace cotan
