// The grammar of legal graphs, checked node by node. It runs after every pass of the pipeline (always in tests and debug builds) and names the node that
// broke a rule, with its operands and readers as text, so that the pass at fault is plain to see.
#pragma once

#include <string>

#include "graph/node.h"

namespace cotan {

// Throws InternalError at the first node of f, or of a body that f calls, which breaks a rule:
//   - operands: as many as the kind takes, of the types and shapes it takes, of the current thread's table;
//   - maps: the formula is well formed; a row's formula is the row's; an anonymous one names different operands and reads all of them;
//   - sums: accesses fit their tensors, tables are integers, the specification is in normal form;
//   - reductions, scans, orders, checks, casts: the result's type follows from the operand's;
//   - calls: the body's parameters are the operands' types, its results are the call's, and it reads nothing but its parameters;
//   - parameters: leaves, each once, and every parameter that the graph reads is among them.
// docs/ir.md states the rules in full. Linear in the nodes; never recurses over the graph.
void verify(const Function& f);

// What is wrong with one node, looked at with its operands only; "" if nothing is.
[[nodiscard]] std::string fault_of(const Node& n);

}  // namespace cotan
