// The commands of `cotan`, one function and one file each. main.cpp reads the command line into these structures; whatever is wrong with what the user gave is
// an Error, which main.cpp prints as one line.
#pragma once

#include <cstdint>
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

struct OptOptions {
  std::string file;
  std::string passes;    // switches: "-fuse_kernels"
  bool explain = false;  // also every group, the passes, the kernels, and what was not done and why
};
// Prints the function after the passes, and as remarks behind it what is fused.
void opt(const OptOptions& options);

struct ProfileCommandOptions {
  std::string file;               // or
  std::string example;            // the name of a model
  std::string html, json, trace;  // files to write; empty: none
  std::uint64_t seed = 1;         // of the inputs
  int repetitions = 30;
  double seconds = 3;
};
// Runs a function on random inputs, or a model's training step, fused and unfused, and prints where the time goes.
void profile(const ProfileCommandOptions& options);

struct CheckOptions {
  std::string file;
  std::uint64_t seed = 1;  // of the inputs
  double relative = 1e-4, absolute = 1e-6;
};
// Compares what is computed fused, unfused and by the reference, on random inputs; says whether it agrees.
[[nodiscard]] bool check(const CheckOptions& options);

struct OpsOptions {
  std::string name;  // of an operation; empty: all of them, as the page docs/ops.md
};
// Prints what there is to know of operations: formulas, gradients, conventions, who computes them, what they refuse.
void ops(const OpsOptions& options);

// Prints what this program is made of and what it finds on the machine.
void version();

}  // namespace cotan::tools
