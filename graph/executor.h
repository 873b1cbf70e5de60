// Where autograd and the backends meet: a closed function goes in, a program comes out, and a program runs on buffers.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/backend.h"
#include "graph/node.h"
#include "graph/storage.h"
#include "ops/error.h"

namespace cotan {

// Result `result` is the next value of parameter `parameter`: its buffer may be written in place.
struct Update {
  int result = 0;
  int parameter = 0;
  bool operator==(const Update&) const = default;
};

// How a function is computed.
enum class ExecutionMode : std::uint8_t {
  compiled,   // oneDNN primitives and loop kernels on the team of workers
  reference,  // plain loops; float32 rounded after every operation
  exact,      // plain loops; float32 computed in float64 and rounded in the results alone
};

// Passes and fusions switched by name, as "-fuse_kernels,+fast" says: "-" is off, "+" is on, "all" is every one of them.
class PassSwitches {
 public:
  PassSwitches() = default;
  // Throws Error for a name that there is not; the remedy lists those there are.
  explicit PassSwitches(std::string_view text);

  // Whether a pass runs that is on, or off, unless switched. The last switch decides.
  [[nodiscard]] bool enabled(std::string_view name, bool standard) const;
  // What the last switch of that very name says, if there is one: for a pass that always runs, and does one thing or the other.
  [[nodiscard]] std::optional<bool> said(std::string_view name) const;
  // The same, and one more switch.
  [[nodiscard]] PassSwitches with(std::string_view name, bool on) const;
  // The switches as text.
  [[nodiscard]] std::string text() const;
  bool operator==(const PassSwitches&) const = default;

 private:
  std::vector<std::pair<std::string, bool>> switches_;
};
// What the environment variable COTAN_PASSES says, read once; none where it is not set.
[[nodiscard]] const PassSwitches& standard_passes();
// What makes a program unfused: "-fuse_epilogues,-fuse_kernels,...", all fusions off and nothing else.
[[nodiscard]] PassSwitches without_fusion();

// Nodes that have to be computed by one step, by their positions in the order of the function that is compiled. Views, leaves and checks among them do not
// count: they cost nothing.
struct Promise {
  std::vector<int> nodes;
  bool operator==(const Promise&) const = default;
};

// What a compilation depends on beside the function.
struct CompileOptions {
  // Compiled, or run on the reference.
  ExecutionMode mode = ExecutionMode::compiled;
  // What backends may do, and the machine that all of it is for.
  BackendOptions backends;
  // How many workers the work is cut for.
  int threads = 1;
  // Results that are next values of parameters.
  std::vector<Update> updates;
  // Passes and fusions that are switched otherwise than usual.
  PassSwitches passes;
  // What has to be one step each. Looked at in compiled programs, unless all fusions are off.
  std::vector<Promise> promises;
  // Which nodes, by position, differentiation made; empty where nobody knows. Reasons name it; the program is the same.
  std::vector<bool> in_gradient;
  // How many workers kernels are cut for: reproducible ones for a fixed number.
  [[nodiscard]] int grid() const { return backends.reproducible ? 8 : threads; }
  // Equal options compile alike.
  bool operator==(const CompileOptions& o) const {
    return mode == o.mode && backends == o.backends && threads == o.threads && updates == o.updates && passes == o.passes && promises == o.promises;
  }
};

// What is bound to a parameter, by its role.
struct InputValue {
  StorageRef storage;  // a tensor, dense
  double scalar = 0;   // a scalar operand
  RandomState random;  // a random leaf
};

// One step of a program, as reports show it. `nodes` are positions in the order of the function's nodes (topological(results) of the function compiled);
// `places` the nodes that it computes in topological(results) of the function after the passes.
struct KernelReport {
  std::string name;
  std::vector<int> nodes;
  std::int64_t phase = 0, chunks = 0;
  double flops = 0, bytes = 0;
  std::vector<int> places = {};
  std::vector<std::string> parts = {};  // the kernels that it consists of
};

// Something that was not done, and why.
struct MissReport {
  std::string what;  // "oneDNN", "view", "in place"
  int node = 0;
  Reason reason;
};

// A promise that is not kept: the steps that the nodes are computed by, and why they are several. The reasons are of the program's misses, or found from the
// steps where no fusion had a word on them.
struct BrokenPromise {
  int promise = 0;  // which one
  std::vector<KernelReport> kernels;
  std::vector<MissReport> misses;  // at least one
};

// What a pass of the pipeline did.
struct PassRecord {
  std::string name;
  bool changed = false;
  double seconds = 0;
};

// What a program consists of.
struct ProgramReport {
  // The passes that ran, in order.
  std::vector<PassRecord> passes;
  // Its steps.
  std::vector<KernelReport> kernels;
  // What was not done, and why.
  std::vector<MissReport> misses;
  // How many phases they form.
  std::int64_t phases = 0;
  std::size_t temporary_bytes = 0;  // of intermediates, known before the run
  std::size_t result_bytes = 0;     // of results in memory of their own
  std::size_t in_place_updates = 0;
  // Promises that the program does not keep.
  std::vector<BrokenPromise> broken = {};
};

// When one chunk of a program's step ran: nanoseconds of std::chrono::steady_clock.
struct ChunkTime {
  int kernel = 0;  // in ProgramReport::kernels
  int worker = 0;
  std::int64_t start = 0, end = 0;
};

// Is told of each chunk that a run of a program computes, on the worker's own thread. Calls for one worker come one after another.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // One chunk has ended. Must not throw.
  virtual void ran(const ChunkTime& chunk) = 0;
};

// A check node found an entry out of range. Thrown by Program::run before any buffer that outlives the run was written.
struct CheckFailed {
  int node = 0;  // position of the node in the function's order
  CheckSpec spec;
  CheckFailure failure;

  // What the user is told: the problem, and the remedy.
  [[nodiscard]] std::pair<std::string, std::string> error() const { return spec.error_of(failure.value, failure.position); }
};

// A compiled function. Immutable; may run in several threads at once.
class Program {
 public:
  virtual ~Program() = default;
  // Computes the results. An update written in place returns the parameter's own buffer; a buffer that somebody else holds too is left alone and a new one
  // returned, so callers hand over the reference they want written (no other reference left but theirs and `inputs`'). `observer`, where given, is
  // told of every chunk of compiled programs. Throws Error for a program that was compiled for a machine with instructions that this one lacks.
  [[nodiscard]] virtual std::vector<StorageRef> run(std::span<const InputValue> inputs, RunObserver* observer = nullptr) const = 0;
  [[nodiscard]] virtual const ProgramReport& report() const = 0;
};

// Compiles `function`; `order` gives its nodes' positions for reports (the images of the recorded nodes).
[[nodiscard]] std::shared_ptr<const Program> compile_program(const Function& function, std::span<Node* const> order, const CompileOptions& options);

}  // namespace cotan
