// The plan of an evaluation: buffers, steps and phases.
//
// lower() turns nodes into steps: views cost nothing, claims become kernels, calls that nobody claims are inlined. fold_constants() runs those steps at once
// that depend on no input. schedule() decides which updates happen in place (every reader of the old value comes in an earlier phase, and every check before
// any write), orders the steps into phases of independent work, and lays intermediates out in one arena by their lifetimes, results of loops where an operand
// dies. verify_plan() proves all of that on the finished plan.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "graph/executor.h"

namespace cotan {

// `scratch` lies in the arena too: the memory that the kernels of one phase work in. A `constant` was computed when the plan was made, and is the plan's own.
enum class BufferKind : std::uint8_t { parameter, arena, result, scratch, constant };
[[nodiscard]] inline bool in_arena(BufferKind kind) { return kind == BufferKind::arena || kind == BufferKind::scratch; }

struct Buffer {
  BufferKind kind = BufferKind::arena;
  int index = 0;  // of the parameter, the result or the constant
  std::size_t bytes = 0;
  std::size_t offset = 0;  // in the arena
  int first_phase = 0, last_phase = 0;
};

struct Slot {
  int buffer = 0;
  std::size_t byte_offset = 0;
  bool whole = false;  // the whole buffer, row-major
};

struct Step {
  KernelRef kernel;
  std::vector<Slot> slots;  // the kernel's inputs, then its outputs
  int inputs = 0;
  std::vector<int> after;  // steps that must have ended before
  int phase = 0;
  std::vector<int> nodes;    // positions of what it computes, for reports; at least one
  std::vector<int> places;   // the same in the function after the passes
  bool in_place = false;     // an output may share an input's memory
  bool elementwise = false;  // a loop over maps: any output may share the memory of any input that it reads entry by entry
  bool is_check = false;
  CheckSpec check;
};

struct Plan {
  std::vector<Buffer> buffers;
  std::vector<Step> steps;               // in an order in which they could run one by one
  std::vector<std::vector<int>> phases;  // steps by phase
  std::vector<int> result_buffers;       // for each result; of kind result, or parameter (returned or updated in place)
  std::vector<LeafRole> parameter_roles;
  std::vector<DType> parameter_types;
  std::vector<std::shared_ptr<std::byte>> constants;  // which nothing writes
  std::size_t arena_bytes = 0;
  // What a kernel works in: the most that one of them needs, and by phase the buffer that holds it for `workers` at once, or for each chunk where there are
  // fewer; -1 where nobody needs any.
  std::size_t scratch_bytes = 0;
  std::vector<int> scratch_buffers;
  int workers = 1;
  std::vector<Update> in_place;  // those updates that happen in place
  ProgramReport report;
  double seconds = 0;  // a rough estimate of the whole work on one core
};

[[nodiscard]] Plan lower(const Function& function, std::span<Node* const> order, const CompileOptions& options);
// The plan of a function that is run by a region on memory of its own: no passes, parameters as the views say, scheduled. `extras`: nodes of it whose claims'
// extra memory (Claim::extra) is a result as well, behind the others; there are fewer results where a claim gave no kernel.
[[nodiscard]] Plan lower_tile(const Function& function, std::span<const Ref> extras, std::span<const View> parameters, const CompileOptions& options);
// Runs the steps that read nothing but constants, and takes them out of the plan: an iota, what is computed of it, checks that hold. Results are at most 64 KiB
// each; what the plan hands out is computed at each run. For a machine whose code does not run here nothing is computed, and the plan is the same. Before
// schedule().
void fold_constants(Plan& plan, const TargetMachine& target);
// The entries of a result that reads no leaf but iotas, row-major, as the unfused program computes them without any pass; none where they
// depend on what becomes of subnormal numbers.
[[nodiscard]] std::vector<std::byte> bytes_of_constant(const Ref& constant, const BackendOptions& backends);
// `one_by_one`: every step is a phase of its own, in the plan's order.
void schedule(Plan& plan, const CompileOptions& options, bool one_by_one = false);
// Walks the phases with a map of the memory, and throws InternalError where a step reads what is not written yet, is overwritten, is another value than the one
// it waits for, or is written in the same phase; where two steps of a phase write one place; where a buffer is used outside its lifetime; and where an update
// in place comes before a check. What lies where it finds out from steps, phases, slots and offsets, not from the lifetimes that the layout was made from.
void verify_plan(const Plan& plan);

}  // namespace cotan
