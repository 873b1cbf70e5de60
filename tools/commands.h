// The commands of `cotan`, one function and one file each. main.cpp reads the command line into these structures; whatever is wrong with what the user gave is
// an Error, which main.cpp prints as one line.
#pragma once

#include <string>
#include <vector>

namespace cotan::tools {

struct ShowOptions {
  std::string file;  // "-": standard input
  bool dot = false;  // as a Graphviz digraph instead of text
};
// Reads, verifies and prints a function.
void show(const ShowOptions& options);

struct GradOptions {
  std::string file;
  std::vector<std::string> wrt;  // names of parameters
  std::string of;                // the name of the result to differentiate; empty: the first
};
// Prints the function with the gradients as further results, d_NAME for each of `wrt`.
void grad(const GradOptions& options);

struct RunOptions {
  std::string file;
  std::vector<std::string> inputs;  // NAME=FILE.npy, or NAME=NUMBER for a scalar
  std::string out;                  // folder for the results
  std::string backend = "default";  // or "reference"
  std::string dtype;                // "f64": everything in float64; empty: as the text says
};
// Computes the function and writes each result to OUT/NAME.npy; results without a name are r0, r1, ...
void run(const RunOptions& options);

struct OpsOptions {
  std::string name;  // of an operation; empty: all of them, as the page docs/ops.md
};
// Prints what there is to know of operations: formulas, gradients, conventions, who computes them, what they refuse.
void ops(const OpsOptions& options);

// Prints what this program is made of and what it finds on the machine.
void version();

}  // namespace cotan::tools
