// Printing, in parts: how the nodes of a function are named, and what stands on the right of a statement. to_text() and to_dot() put the parts together, and
// the verifier prints the neighbourhood of a fault with them, so nothing here relies on a node being legal.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "graph/node.h"

namespace cotan::text_form {

// The names of one function's values: parameters by name, the results of other nodes %0, %1, ... in the order in which they print.
class Names {
 public:
  // A leaf that prints as a parameter, under a name that no other has.
  struct Parameter {
    Node* leaf;
    std::string name;  // not quoted
  };

  // The parameters of f, then the leaves that f reads beside them; then its nodes.
  explicit Names(const Function& f);

  [[nodiscard]] const std::vector<Parameter>& parameters() const { return parameters_; }
  // All nodes that are statements, operands before readers.
  [[nodiscard]] const std::vector<Node*>& statements() const { return statements_; }
  // How a reader names it: "%3", "x"; "%?" for a node of another function.
  [[nodiscard]] std::string of(const Edge& e) const;
  // Whether a parameter has this name, or it is reserved.
  [[nodiscard]] bool is_taken(std::string_view name) const;

 private:
  void add_parameter(Node* leaf);
  std::vector<Parameter> parameters_;
  std::vector<Node*> statements_;
  std::unordered_map<Edge, std::string, RefHash> text_;
  std::set<std::string, std::less<>> taken_;
};

// True for the leaves that print as parameters: all but iota and random.
[[nodiscard]] bool prints_as_parameter(const Node& n);

// The bodies of the calls that a function needs, callees first, each once, with a label that no other body has.
class Bodies {
 public:
  explicit Bodies(const Function& f);

  [[nodiscard]] const std::vector<const Function*>& in_order() const { return order_; }
  [[nodiscard]] std::string label(const Function& body) const;

 private:
  // Parameters and results: what the equality of bodies compares.
  using Content = std::vector<Edge>;
  struct Less {
    bool operator()(const Content& a, const Content& b) const;
  };
  [[nodiscard]] static Content content_of(const Function& f);
  void add(const Function& body, std::string_view call);
  std::map<Content, std::string, Less> labels_;
  std::vector<const Function*> order_;
  std::set<std::string, std::less<>> taken_;
};

// "%2: f32[64,128] = add(%0, %1)". `bodies` may be null: calls then name no body.
[[nodiscard]] std::string statement_text(const Node& n, const Names& names, const Bodies* bodies);
// What stands on the right of it.
[[nodiscard]] std::string right_side(const Node& n, const Names& names, const Bodies* bodies);

// "{ t0 = exp(x); t0 / (1 + t0) }" for operands of these texts, behind "map(a, b) " where the order of the operands would not read back. Shared nodes get local
// names, so the text is linear in the formula; a node is written in its user's place only where reading makes the nodes in the same order.
[[nodiscard]] std::string formula_text(const Formula& f, const std::vector<std::string>& operands, const Names& names);

// A sum: "[i,j]" for the left side, and "x[i,k] * w[k,j]; i<14" for the right one.
struct IndexedText {
  std::string left, right;
};
[[nodiscard]] IndexedText sum_text(const Node& n, const Names& names);
[[nodiscard]] IndexedText reduce_text(const Node& n, const Names& names);

}  // namespace cotan::text_form
