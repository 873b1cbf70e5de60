#include "autograd/profile/graphs.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "autograd/tape.h"
#include "graph/text/print.h"
#include "graph/text/words.h"

namespace cotan {
namespace {

ProfiledLine line_of(const Node& node) {
  const std::vector<Origin> origins = node.table->origins_of(node);
  return origins.empty() ? ProfiledLine{} : ProfiledLine{origins[0].line.file, origins[0].line.line};
}

std::string kind_of(const Node& node) {
  if (node.kind != Kind::leaf) return std::string(name_of(node.kind));
  return std::string(name_of(node.as<LeafSpec>().role));
}

// What the program calls an input, where it has given it a name.
std::string input_name(const Node& node) {
  if (node.kind != Kind::leaf) return "";
  if (const CellVersion* version = version_of(node)) return version->cell->name;
  return node.as<LeafSpec>().name;
}

// `function` is the recorded one, or what passes made of it.
ProfiledGraph drawn(const Function& function, const RecordedFunction& recorded) {
  ProfiledGraph graph;
  const text_form::Names names(function);
  const std::vector<Node*> order = topological(function.results);
  std::unordered_map<const Node*, int> index;
  std::unordered_map<const Node*, const RecordedFunction::Input*> inputs;
  for (std::size_t p = 0; p < recorded.inputs.size(); ++p) inputs.emplace(recorded.function.parameters[p].node(), &recorded.inputs[p]);
  for (const Node* n : order) {
    index.emplace(n, static_cast<int>(index.size()));
    ProfiledNode node;
    node.name = names.of({const_cast<Node*>(n), 0});
    node.kind = kind_of(*n);
    node.type = text_form::type_text(n->dtype, n->shape);
    if (const auto input = inputs.find(n); input != inputs.end()) {
      node.kind = input->second->kind;
      node.text = input->second->name.empty() ? node.name : fmt::format("{} {}", node.name, input->second->name);
    }
    if (!text_form::prints_as_parameter(*n)) node.text = text_form::statement_text(*n, names, nullptr);
    for (const Edge& e : n->operands()) node.operands.push_back(index.at(e.node));
    graph.nodes.push_back(std::move(node));
  }
  for (const Ref& r : function.results) graph.nodes[static_cast<std::size_t>(index.at(r.node()))].result = true;
  return graph;
}

}  // namespace

RecordedFunction recorded_function(const Structure& structure, std::span<const Ref> roots) {
  RecordedFunction recorded;
  recorded.function = close(structure, roots, recorded.images);
  for (const Node* n : structure.order) recorded.lines.push_back(line_of(*n));
  for (const Edge& e : structure.inputs) {
    const bool leaf = e.node->kind == Kind::leaf;
    recorded.inputs.push_back({leaf ? kind_of(*e.node) : "data", input_name(*e.node)});
  }
  return recorded;
}

std::vector<int> places_of(const RecordedFunction& recorded) {
  std::unordered_map<const Node*, int> index;
  for (const Node* n : topological(recorded.function.results)) index.emplace(n, static_cast<int>(index.size()));
  std::vector<int> places;
  for (const Node* n : recorded.images) {
    const auto found = index.find(n);
    places.push_back(found == index.end() ? -1 : found->second);
  }
  return places;
}

ProfiledGraph graph_before(const RecordedFunction& recorded) {
  ProfiledGraph graph = drawn(recorded.function, recorded);
  const std::vector<int> places = places_of(recorded);
  for (std::size_t p = 0; p < places.size(); ++p)
    if (places[p] >= 0) add_line(graph.nodes[static_cast<std::size_t>(places[p])].lines, recorded.lines[p]);
  return graph;
}

ProfiledGraph graph_after(const RecordedFunction& recorded, const Explained& explained) {
  ProfiledGraph graph = drawn(explained.function, recorded);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    for (int p : explained.positions[n]) add_line(graph.nodes[n].lines, recorded.lines[static_cast<std::size_t>(p)]);
  std::unordered_map<const Node*, int> index;
  for (const Node* n : topological(explained.function.results)) index.emplace(n, static_cast<int>(index.size()));
  for (const ExplainedGroup& g : explained.groups) {
    ProfiledGroup group{g.name, g.fused, {}};
    for (const Node* n : g.members)
      if (const auto found = index.find(n); found != index.end()) group.nodes.push_back(found->second);
    if (!group.nodes.empty()) graph.groups.push_back(std::move(group));
  }
  return graph;
}

void add_line(std::vector<ProfiledLine>& lines, const ProfiledLine& line) {
  if (line.line != 0 && std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
}

}  // namespace cotan
