// The thread's tape: which tensors are alive, what has been computed, what is assigned. Internal to autograd.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "autograd/evaluate.h"
#include "autograd/tensor.h"
#include "graph/node.h"
#include "graph/storage.h"

namespace cotan {

class Tape;
class Recorder;

// The state behind a Variable. autograd/cells.h guards storage, version, last_write and being_written.
struct Cell {
  const std::uint64_t id = next_id();  // never used again, unlike an address
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  StorageRef storage;
  std::uint64_t version = 0;
  SourceLine last_write;
  bool being_written = false;  // by an evaluation that runs now
  std::atomic<bool> requires_grad{true};

 private:
  static std::uint64_t next_id();
};

// Payload of a variable leaf: one version of a cell. A read after assign() has a version that is still to come; it is numbered when the assignment has run.
struct CellVersion {
  static constexpr std::uint64_t to_come = ~std::uint64_t{0};         // an assignment is pending
  static constexpr std::uint64_t never_came = ~std::uint64_t{0} - 1;  // its evaluation threw
  std::shared_ptr<Cell> cell;
  std::uint64_t version = 0;
};
[[nodiscard]] CellVersion* version_of(const Node& node);  // null where the node is no variable leaf

// Why a computed tensor has no history any more, and what it depended on: asked when a gradient would have to go through it.
struct Forgotten {
  struct Through {
    std::uint64_t id = 0;  // of the cell
    SourceLine line;       // of the evaluation that forgot the way
    bool by_step = false;  // an assignment overwrote the variable
    bool operator==(const Through&) const = default;
  };
  SourceLine line;                    // of the evaluation that computed it
  std::vector<Through> cells;         // variables that a gradient would have flowed to
  std::vector<std::uint64_t> leaves;  // identities of the data leaves, likewise; at most `most_leaves`
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
  std::uint64_t identity = 0;                                              // hash of all that the node computes, down to the identities of its leaves
  std::shared_ptr<const std::unordered_set<std::uint64_t>> computed_with;  // identities of what the same evaluation computed and did not keep
  SourceLine line;                                                         // of that evaluation
};

// What a Tensor handle points to. Handles of a thread are linked so that a barrier finds those that the program still holds.
struct TensorState : std::enable_shared_from_this<TensorState> {
  TensorState(Ref ref, std::shared_ptr<Tape> tape, const SourceLine& line, bool detached);
  ~TensorState();
  TensorState(const TensorState&) = delete;
  TensorState& operator=(const TensorState&) = delete;

  const DType dtype;
  const Shape shape;
  // Changed by the tape's thread alone, under the tape's mutex.
  Ref ref;
  std::shared_ptr<Value> value;  // of a node with history
  std::shared_ptr<Tape> tape;
  SourceLine line;        // that recorded it
  bool detached = false;  // recorded under NoGrad
  bool requires_grad = false;
  bool constant = false;     // made by constant(): compiled functions may capture it
  std::uint64_t number = 0;  // counts the tape's states
  TensorState* previous = nullptr;
  TensorState* next = nullptr;

  [[nodiscard]] StorageRef storage() const;  // null where not computed; from any thread
};

class Tape : public std::enable_shared_from_this<Tape> {
 public:
  [[nodiscard]] static const std::shared_ptr<Tape>& current();

  // A leaf of the cell's present version; the same node as long as the version stays. With an assignment pending, a leaf of the version to come.
  [[nodiscard]] Ref read(const std::shared_ptr<Cell>& cell);
  void assign(const std::shared_ptr<Cell>& cell, Ref next, const SourceLine& line);

  // An assignment that the next evaluation runs.
  struct Assignment {
    std::shared_ptr<Cell> cell;
    Ref next;
    SourceLine line;
    Ref leaf;                 // what reads of the assigned value got; empty before the first
    bool superseded = false;  // the cell was assigned again: only the readers of `leaf` need the value
  };
  [[nodiscard]] const Assignment* pending_of(const Cell* cell) const;
  // Whether a variable leaf is what reading its cell gives now.
  [[nodiscard]] bool is_current(const CellVersion& version, const Node& leaf) const;
  // The line that overwrote a leaf that is not current.
  [[nodiscard]] SourceLine overwritten_at(const Cell& cell) const;
  // After an evaluation: the assignments have run and their cells are numbered, or they never will.
  void assignments_done();
  void discard_assignments();
  // Puts others in the place of the pending assignments, which it returns.
  std::vector<Assignment> exchange_assignments(std::vector<Assignment> others);
  // After every evaluation: lets go of variables that the program has, now and then.
  void tidy();

  // The tensors made before `first_state` that are used while a checkpoint's function is recorded.
  struct Captured {
    std::uint64_t first_state = 0;
    std::vector<Ref> refs;
  };
  Captured* captured = nullptr;

  // A gradient that backward() accumulated, or a note that a step consumed it.
  struct Gradient {
    Tensor tensor;
    SourceLine consumed;  // line > 0 once a step has
  };
  // The one of a cell that no step has consumed, or null.
  [[nodiscard]] Gradient* gradient_of(const Cell& cell);
  // Adds to the gradient of a cell.
  void accumulate(const std::shared_ptr<Cell>& cell, const Ref& gradient, const SourceLine& line);

  // Guards what other threads' releases of tensors touch: the list of states, values, leaf_gradients and marked.
  std::recursive_mutex mutex;
  TensorState* first = nullptr;
  std::unordered_map<const Node*, std::weak_ptr<Value>> values;
  std::unordered_map<const Node*, Tensor> leaf_gradients;  // of marked tensors
  std::unordered_map<const Node*, int> marked;             // leaves of tensors with requires_grad

  std::vector<Assignment> pending;                        // in the order in which they were recorded
  std::unordered_map<std::uint64_t, Gradient> gradients;  // by cell
  EvaluationReport report;
  std::shared_ptr<const EvaluationReport> details;  // kernels and misses of a compiled function's call, copied into the report when it is asked for
  ExecutionOptions options;
  Recorder* recorder = nullptr;  // while a function is recorded for compile()
  int differentiating = 0;       // functions that grad() and the like are recording, one inside the other
  std::uint64_t states = 0;      // made so far

  // The tensors that the program holds and whose states the predicate wants.
  [[nodiscard]] std::vector<std::shared_ptr<TensorState>> held(const std::function<bool(const TensorState&)>& wanted);
  [[nodiscard]] std::shared_ptr<Value> value_of(const Node* node);
  [[nodiscard]] bool is_marked(const Node* node);
  void clear();

 private:
  struct Leaf {
    std::uint64_t version;
    Ref ref;
  };
  std::unordered_map<const Cell*, Leaf> leaves_;
  std::size_t evaluations_ = 0;                            // since the last look for dead cells
  std::unordered_map<const Cell*, std::size_t> assigned_;  // where in `pending` each cell's last assignment is
  [[nodiscard]] Ref leaf_of(const std::shared_ptr<Cell>& cell);
  void forget_dead_cells();
  void forget_unread_assignments();
};

// The tensor as a node of the current thread's graph. Throws Error for an undefined tensor, or another thread's that is not computed.
[[nodiscard]] Ref use(const std::shared_ptr<TensorState>& state);
// The same for an operand of what is being recorded.
[[nodiscard]] Ref use_as_operand(const std::shared_ptr<TensorState>& state);

// Throws Error for a tensor that the function which is being recorded for compile() must not use: it was made before.
void require_not_captured(const TensorState& state);

// A data leaf for a buffer. Without one it stands for a value that is not there while a function is recorded.
[[nodiscard]] Ref data_leaf(StorageRef storage, DType dtype, const Shape& shape, std::shared_ptr<const Forgotten> forgotten = nullptr);

// The roots with reads of variables whose assignments are pending replaced by the assigned values (assigned.cpp).
[[nodiscard]] std::vector<Ref> with_assigned_values(const Tape& tape, std::span<const Ref> roots);

// Computes states and runs the pending assignments, which are discarded where it throws (evaluate.cpp).
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
// evaluate() as part of another public function, which errors name.
EvaluationReport evaluate_for(const char* function, const std::vector<Tensor>& tensors, const SourceLine& where);

[[nodiscard]] bool recording_without_gradients();

// Adds to the gradients of the variables and marked tensors behind `roots` what these cotangents give them. Returns whether there is any such thing; throws
// Error where the way to one is gone (gradients.cpp).
bool accumulate_gradients(std::span<const Ref> roots, std::span<const Ref> cotangents, const SourceLine& where);

}  // namespace cotan
