// A function recorded for compile(): what a call has to bind, to run and to write. Internal to autograd.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "autograd/cache.h"
#include "autograd/function.h"
#include "autograd/recorder.h"

namespace cotan {

// What the arguments and the surroundings of a call are like: calls of equal signature may share a recording.
struct Signature {
  std::vector<ResultType> arguments;
  bool no_grad = false;
  CompileOptions options;
  bool operator==(const Signature&) const = default;
};

// Where an input of the graph comes from at a call.
struct Source {
  enum class From : std::uint8_t { argument, constant, cell, number, draw };
  From from = From::argument;
  std::size_t index = 0;         // of the argument, or of the draw; `fixed` for a draw of the function's own generator
  StorageRef storage;            // of a constant
  std::shared_ptr<Cell> cell;    // that is read
  double number = 0;             // as recorded
  std::function<double()> read;  // reads the number at each call; empty where it is fixed
  RandomState random;            // as recorded
  SourceLine line;               // that recorded it
  static constexpr std::size_t fixed = ~std::size_t{0};
};

// A result that becomes a tensor, or is added to a cell's gradient.
struct Output {
  ResultType type;
  SourceLine line;  // that recorded it
  bool detached = false;
  std::shared_ptr<const Forgotten> forgotten;  // with the arguments' stand-ins as leaves
  std::shared_ptr<Cell> gradient_of;           // null for what the function returned
};

// A result that is a cell's next value. They follow the outputs.
struct Write {
  std::shared_ptr<Cell> cell;
  SourceLine line;  // of the assignment
};

// The graph of a recording. Nodes belong to a thread.
struct RecordedGraph {
  std::weak_ptr<Tape> tape;  // of the thread that recorded
  Structure structure;
  std::vector<Ref> roots;
  CompileOptions options;  // that it was compiled with
};

struct Recording {
  Signature signature;
  std::vector<std::uint64_t> stand_ins;  // identities of the leaves that stood for the arguments
  std::vector<Source> inputs;
  std::vector<Output> outputs;
  std::vector<Write> writes;
  std::vector<Recorder::Draw> draws;
  std::vector<Recorder::Watch> watches;
  std::vector<std::function<void()>> effects;
  std::vector<Recorder::Step> stepped;
  StructureKey key;
  std::vector<std::size_t> begins;  // of the nodes in the key
  std::vector<SourceLine> lines;    // of the nodes
  std::vector<int> numbers;         // of the nodes in the text form; -1 for inputs
  std::shared_ptr<const EvaluationReport> report;
  std::weak_ptr<const Program> program;        // the cache owns it
  std::shared_ptr<const RecordedGraph> graph;  // kept where an observer looks on; else null
};

// Records the function for arguments like these, and compiles it unless the cache has its program; `program` receives it. Throws Error for what the function
// may not do.
[[nodiscard]] std::shared_ptr<Recording> record_function(const Signature& signature, const std::vector<Tensor>& arguments, const TensorFunction& body,
                                                         const SourceLine& where, std::uint64_t function, std::shared_ptr<const Program>& program);

// The first difference between two recordings of one function that ought to be the same; "" where there is none.
[[nodiscard]] std::string difference(const Recording& before, const Recording& now);

}  // namespace cotan
