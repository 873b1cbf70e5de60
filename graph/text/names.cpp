#include <fmt/format.h>

#include <algorithm>

#include "graph/text/print.h"
#include "graph/text/words.h"

namespace cotan::text_form {
namespace {

std::string_view standard_name(LeafRole role) {
  switch (role) {
    case LeafRole::variable: return "w";
    case LeafRole::scalar: return "s";
    default: return "x";
  }
}

}  // namespace

bool prints_as_parameter(const Node& n) {
  if (n.kind != Kind::leaf || !n.spec) return false;
  const LeafRole role = n.as<LeafSpec>().role;
  return role != LeafRole::iota && role != LeafRole::random;
}

Names::Names(const Function& f) {
  for (const Ref& p : f.parameters)
    if (p) add_parameter(p.node());
  std::vector<Ref> roots;
  for (const Ref& r : f.results)
    if (r) roots.push_back(r);
  const std::vector<Node*> order = topological(roots);
  for (Node* n : order)
    if (prints_as_parameter(*n)) add_parameter(n);
  std::size_t next = 0;
  for (Node* n : order) {
    if (text_.contains(Edge{n, 0})) continue;
    statements_.push_back(n);
    const std::uint32_t results = n->spec ? n->result_count() : 1;
    for (std::uint32_t r = 0; r < results; ++r) text_.emplace(Edge{n, r}, fmt::format("%{}", next++));
  }
}

void Names::add_parameter(Node* leaf) {
  if (text_.contains(Edge{leaf, 0})) return;
  std::string name;
  std::string_view stem = "x";
  if (leaf->kind == Kind::leaf && leaf->spec) {
    const auto& spec = leaf->as<LeafSpec>();
    name = spec.name;
    stem = standard_name(spec.role);
    if (spec.role == LeafRole::parameter && !taken_.contains(name)) stem = "";  // also a parameter named ""
  }
  if (!stem.empty() && (name.empty() || taken_.contains(name))) {
    const std::string base = name.empty() ? std::string(stem) : fmt::format("{}_", name);
    for (std::size_t k = 0; name.empty() || taken_.contains(name); ++k) name = fmt::format("{}{}", base, k);
  }
  taken_.insert(name);
  text_.emplace(Edge{leaf, 0}, name_text(name));
  parameters_.push_back({leaf, std::move(name)});
}

std::string Names::of(const Edge& e) const {
  auto found = text_.find(e);
  return found != text_.end() ? found->second : "%?";
}

bool Names::is_taken(std::string_view name) const { return is_reserved(name) || taken_.contains(name); }

// ---- bodies

bool Bodies::Less::operator()(const Content& a, const Content& b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](const Edge& x, const Edge& y) { return x.node != y.node ? std::less<>{}(x.node, y.node) : x.result < y.result; });
}

Bodies::Content Bodies::content_of(const Function& f) {
  Content content;
  for (const Ref& p : f.parameters) content.push_back(p.edge());
  content.push_back({});
  for (const Ref& r : f.results) content.push_back(r.edge());
  return content;
}

Bodies::Bodies(const Function& f) {
  // Depth first over functions, with a stack: a body stands before those that call it.
  struct Visit {
    const Function* body;
    std::string_view call;
    std::vector<const CallSpec*> callees;
    std::size_t next = 0;
  };
  auto visit = [](const Function& body, std::string_view call) {
    Visit v{&body, call, {}};
    for (const Node* n : topological(body.results))
      if (n->kind == Kind::call && n->spec && n->as<CallSpec>().body) v.callees.push_back(&n->as<CallSpec>());
    return v;
  };
  std::set<Content, Less> open;
  std::vector<Visit> stack;
  stack.push_back(visit(f, ""));
  while (!stack.empty()) {
    Visit& top = stack.back();
    if (top.next < top.callees.size()) {
      const CallSpec& callee = *top.callees[top.next++];
      if (open.insert(content_of(*callee.body)).second) stack.push_back(visit(*callee.body, callee.name));
      continue;
    }
    if (stack.size() > 1) add(*top.body, top.call);
    stack.pop_back();
  }
}

void Bodies::add(const Function& body, std::string_view call) {
  const std::string_view stem = name_text(call) == call ? call : std::string_view("body");
  std::string label;
  for (std::size_t k = 0; label.empty() || taken_.contains(label); ++k) label = fmt::format("{}.{}", stem, k);
  taken_.insert(label);
  labels_.emplace(content_of(body), std::move(label));
  order_.push_back(&body);
}

std::string Bodies::label(const Function& body) const {
  auto found = labels_.find(content_of(body));
  return found != labels_.end() ? found->second : "?";
}

}  // namespace cotan::text_form
