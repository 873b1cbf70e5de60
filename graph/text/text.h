// The text form of graphs: what tests state, what the command line reads and prints, what a bug report holds. Its grammar is in docs/ir.md.
//
//     func step(x: f32[64,784], w: f32[784,128], b: f32[128]) {
//       %0: f32[64,128][i,j] = x[i,k] * w[k,j]
//       %1: f32[64,128][i,j] = b[j]
//       %2: f32[64,128] = add(%0, %1)
//       %3: f32[64,128] = { max(%2, 0) + 1 }      # a formula without a name
//       return logits=%3
//     }
//
// A closed function that prints parses back to the same nodes in the same thread, since nodes are interned. Leaves that are not parameters (data, variables,
// scalar operands) print as further parameters, so that the text of a recorded program is a closed function: the one that close_over_leaves() makes of it.
// Random leaves are each their own: they parse to new leaves with the same key and counter.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/node.h"

namespace cotan {

// f as text, bodies of calls before it. Never recurses over the graph. f need not be closed, see above; a node without a text (a specification that
// verify() refuses) prints as a remark in angle brackets, which does not parse.
[[nodiscard]] std::string to_text(const Function& f);

// The function that the text describes, its nodes in the current thread's table. Throws Error with file_name:line:column, what was expected, what was found
// and what to do about it. Sizes of tensors are limited as the builder limits them, nested brackets to 200.
[[nodiscard]] Function parse_function(std::string_view text, std::string_view file_name = "text");

// f as a Graphviz digraph: a box for each node, arrows from operands to readers. Calls are single boxes; their bodies are left out.
[[nodiscard]] std::string to_dot(const Function& f);

// The program that computes `roots`, as a function: data, variable and scalar leaves become parameters (named as the leaf, or x0, w0, s0, ...; made unique),
// in the order in which a walk over operands meets them, after the parameters that the graph has already. `names` are the results' names: empty, or one for
// each root. `leaves`, where given, receives for each parameter of the function the leaf it stands for.
[[nodiscard]] Function close_over_leaves(std::span<const Ref> roots, std::vector<std::string> names = {}, std::vector<Ref>* leaves = nullptr);

}  // namespace cotan
