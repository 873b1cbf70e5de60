// The thread's tape: which tensors are alive, what has been computed, what is assigned. Internal to autograd.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "autograd/evaluate.h"
#include "autograd/tensor.h"
#include "graph/node.h"
#include "graph/storage.h"

namespace cotan {

class Tape;

// The state behind a Variable. `mutex` guards storage, version and last_write, and is held by an evaluation that writes the cell.
struct Cell {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::mutex mutex;
  StorageRef storage;
  std::uint64_t version = 0;
  SourceLine last_write;
  std::atomic<bool> requires_grad{true};
};

// Payload of a variable leaf: one version of a cell.
struct CellVersion {
  std::shared_ptr<Cell> cell;
  std::uint64_t version = 0;
};

// Why a computed tensor has no history any more, and what it depended on: asked when a gradient would have to go through it.
struct Forgotten {
  SourceLine line;                    // of the evaluation that computed it
  bool by_step = false;               // an assignment overwrote a variable that it read
  std::vector<const Cell*> cells;     // variables it depended on
  std::vector<std::uint64_t> leaves;  // identities of the data leaves it depended on; at most `most_leaves`
  static constexpr std::size_t most_leaves = 32;
};

// Payload of a data leaf.
struct TensorData {
  StorageRef storage;
  std::shared_ptr<const Forgotten> forgotten;  // null for what the program gave
};

// A computed value of a node that keeps its history.
struct Value {
  StorageRef storage;
  std::vector<const Node*> computed_with;  // nodes that the same evaluation computed and did not keep; alive as long as the history is
  SourceLine line;                         // of that evaluation
};

// What a Tensor handle points to. Handles of a thread are linked so that a barrier finds those that the program still holds.
struct TensorState {
  TensorState(Ref ref, std::shared_ptr<Tape> tape, const SourceLine& line, bool detached);
  ~TensorState();
  TensorState(const TensorState&) = delete;
  TensorState& operator=(const TensorState&) = delete;

  Ref ref;
  std::shared_ptr<Value> value;  // of a node with history
  std::shared_ptr<Tape> tape;
  SourceLine line;        // that recorded it
  bool detached = false;  // recorded under NoGrad
  bool requires_grad = false;
  TensorState* previous = nullptr;
  TensorState* next = nullptr;

  [[nodiscard]] StorageRef storage() const;  // null where not computed
};

class Tape : public std::enable_shared_from_this<Tape> {
 public:
  [[nodiscard]] static const std::shared_ptr<Tape>& current();

  // A leaf of the cell's present version; the same node as long as the version stays. With an assignment pending, the assigned value.
  [[nodiscard]] Ref read(const std::shared_ptr<Cell>& cell);
  [[nodiscard]] Ref leaf_of(const std::shared_ptr<Cell>& cell);
  void assign(const std::shared_ptr<Cell>& cell, Ref next, const SourceLine& line);

  struct Assignment {
    std::shared_ptr<Cell> cell;
    Ref next;
    SourceLine line;
  };
  // A gradient that backward() accumulated, or a note that a step consumed it.
  struct Gradient {
    Tensor tensor;
    SourceLine consumed;  // line > 0 once a step has
  };

  std::recursive_mutex mutex;  // guards the list of states, which other threads' releases touch
  TensorState* first = nullptr;
  std::unordered_map<const Node*, std::weak_ptr<Value>> values;
  std::vector<Assignment> pending;
  std::unordered_map<const Cell*, Gradient> gradients;
  std::unordered_map<const Node*, Tensor> leaf_gradients;  // of marked tensors
  std::unordered_map<const Node*, int> marked;             // leaves of tensors with requires_grad
  EvaluationReport report;
  ExecutionOptions options;

  [[nodiscard]] std::shared_ptr<Value> value_of(const Node* node) const;
  void clear();

 private:
  struct Leaf {
    std::uint64_t version;
    Ref ref;
  };
  std::unordered_map<const Cell*, Leaf> leaves_;
  void forget_dead_cells();
};

// The tensor as a node of the current thread's graph. Throws Error for an undefined tensor, or another thread's that is not computed.
[[nodiscard]] Ref use(const std::shared_ptr<TensorState>& state);

// A data leaf for a buffer.
[[nodiscard]] Ref data_leaf(StorageRef storage, DType dtype, const Shape& shape, std::shared_ptr<const Forgotten> forgotten = nullptr);

// Computes states and runs the pending assignments (evaluate.cpp).
enum class History : std::uint8_t {
  keep,      // of what a gradient could be asked of: it depends on variables or marked tensors, none of them overwritten
  keep_all,  // of everything that depends on variables or marked tensors
  drop,
};
struct EvaluationRequest {
  std::vector<std::shared_ptr<TensorState>> wanted;
  History history = History::keep;
  bool with_lines = false;  // the report names kernels' lines
};
void run_evaluation(Tape& tape, const EvaluationRequest& request, const SourceLine& where);

[[nodiscard]] bool recording_without_gradients();

}  // namespace cotan
