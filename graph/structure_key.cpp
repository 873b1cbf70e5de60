#include "graph/structure_key.h"

#include <fmt/format.h>

#include <unordered_map>

#include "graph/builder.h"
#include "ops/hash.h"

namespace cotan {
namespace {

void append(std::vector<std::uint64_t>& words, const std::string& text) {
  words.push_back(text.size());
  for (std::size_t i = 0; i < text.size(); i += 8) {
    std::uint64_t w = 0;
    for (std::size_t j = i; j < std::min(i + 8, text.size()); ++j) w = w << 8 | static_cast<unsigned char>(text[j]);
    words.push_back(w);
  }
}

void append(std::vector<std::uint64_t>& words, const ResultType& type) {
  words.push_back(static_cast<std::uint64_t>(type.dtype) << 8 | type.shape.rank());
  for (std::int64_t size : type.shape) words.push_back(static_cast<std::uint64_t>(size));
}

using Memo = std::unordered_map<const Function*, std::uint64_t>;

// The node itself, without its operands. Bodies of calls follow in full at their first appearance and by number afterwards.
void append_node(std::vector<std::uint64_t>& words, const Node& n, Memo& bodies);

void append_body(std::vector<std::uint64_t>& words, const Function& body, Memo& bodies) {
  auto [it, fresh] = bodies.try_emplace(&body, bodies.size());
  words.push_back(it->second);
  if (!fresh) return;
  std::unordered_map<const Node*, std::uint64_t> at;
  words.push_back(body.parameters.size());
  for (const Ref& p : body.parameters) {
    at.emplace(p.node(), at.size());
    append(words, {p.dtype(), p.shape()});
  }
  for (const Node* n : topological(body.results)) {
    if (at.contains(n)) continue;
    at.emplace(n, at.size());
    append_node(words, *n, bodies);
    for (const Edge& e : n->operands()) words.push_back(at.at(e.node) << 8 | e.result);
  }
  words.push_back(body.results.size());
  for (const Ref& r : body.results) words.push_back(at.at(r.node()) << 8 | r.result());
}

void append_node(std::vector<std::uint64_t>& words, const Node& n, Memo& bodies) {
  words.push_back(static_cast<std::uint64_t>(n.kind) << 32 | n.operand_count);
  append(words, {n.dtype, n.shape});
  if (n.kind == Kind::call) {
    const auto& c = n.as<CallSpec>();
    append(words, c.name);
    append(words, c.attributes.text());
    append_body(words, *c.body, bodies);
  } else if (n.kind == Kind::leaf) {
    const auto& l = n.as<LeafSpec>();
    words.push_back(static_cast<std::uint64_t>(l.role) << 32 | static_cast<std::uint64_t>(l.axis));
  } else {
    words.push_back(reinterpret_cast<std::uintptr_t>(n.spec.get()));
  }
}

}  // namespace

std::uint64_t StructureKey::hash() const {
  std::uint64_t h = words.size();
  for (std::uint64_t w : words) h = mix(h, w);
  return h;
}

Structure structure_of_order(std::span<const Ref> roots, std::vector<Node*> order, const std::unordered_set<const Node*>& known) {
  Structure s;
  s.order = std::move(order);
  std::unordered_map<const Node*, std::uint64_t> at;
  at.reserve(s.order.size());
  Memo bodies;
  std::vector<std::uint64_t>& words = s.key.words;
  words.reserve(s.order.size() * 10);
  for (Node* n : s.order) {
    at.emplace(n, at.size());
    s.begins.push_back(words.size());
    if (known.contains(n)) {
      words.push_back(~std::uint64_t{0} - n->result_count());
      for (std::uint32_t r = 0; r < n->result_count(); ++r) {
        append(words, {n->dtype_of(r), n->shape_of(r)});
        s.inputs.push_back({n, r});
      }
      continue;
    }
    const bool input = n->kind == Kind::leaf && n->as<LeafSpec>().role != LeafRole::iota;
    if (input) s.inputs.push_back({n, 0});
    append_node(words, *n, bodies);
    for (const Edge& e : n->operands()) words.push_back(at.at(e.node) << 8 | e.result);
  }
  words.push_back(roots.size());
  for (const Ref& r : roots) words.push_back(at.at(r.node()) << 8 | r.result());
  return s;
}

Function close(const Structure& structure, std::span<const Ref> roots, std::vector<Node*>& images) {
  Function f;
  std::unordered_map<Edge, Ref, RefHash> to;
  for (const Edge& e : structure.inputs) {
    const LeafRole role = e.node->kind == Kind::leaf ? e.node->as<LeafSpec>().role : LeafRole::data;
    const DType dtype = e.node->dtype_of(e.result);
    if (role == LeafRole::random)
      f.parameters.push_back(graph::random(0, 0, dtype, e.node->shape));
    else if (role == LeafRole::scalar)
      f.parameters.push_back(graph::scalar(0, dtype));
    else
      f.parameters.push_back(graph::parameter(fmt::format("p{}", f.parameters.size()), dtype, e.node->shape_of(e.result)));
    to.emplace(e, f.parameters.back());
  }
  for (Node* n : structure.order) {
    auto known = to.find({n, 0});
    if (known == to.end()) {
      std::vector<Ref> operands;
      for (const Edge& e : n->operands()) operands.push_back(to.at(e));
      if (n->operand_count == 0) {  // a fill or a range: the same node
        to.emplace(Edge{n, 0}, Ref(n));
      } else {
        const std::vector<Ref> made = graph::rebuild(*n, operands);
        for (std::uint32_t r = 0; r < made.size(); ++r) to.emplace(Edge{n, r}, made[r]);
      }
      known = to.find({n, 0});
    }
    images.push_back(known->second.node());
  }
  for (const Ref& r : roots) f.results.push_back(to.at(r.edge()));
  return f;
}

}  // namespace cotan
