// What the compiler asks of a backend: does it take this node, and if so, a kernel for it.
//
// A backend answers with a claim or with a reason. A claim covers the node, names what the kernel reads, and makes the
// kernel once the views of its operands are known. A view that a primitive cannot take is again a reason: the compiler then copies that operand, or asks the
// next backend. The last backend, the loops, takes everything.
//
// A claim may read less than its node's operands: an operand that nobody else reads is not computed. It may also read memory that another node's claim makes
// beside its results (`extra`): so the gradient of a max pooling reads the positions that the pooling found, in the library's own form.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph/kernel.h"
#include "graph/layouts/blocking.h"
#include "graph/node.h"
#include "graph/target.h"

namespace cotan {

struct Cluster;

// Why something was not done: one closed list for reports, logs, tests and errors.
enum class ReasonCode : std::uint8_t {
  not_recognised,      // the node is not of a form that the primitive computes
  dtype,               // the primitive does not know the type
  layout,              // a view that the primitive cannot describe
  primitive_refused,   // the library has no good implementation; the detail is its message
  not_reproducible,    // bits that depend on what is fused, and reproducible is on
  not_profitable,      // the other way costs less
  result_is_view,      // a result of the evaluation must be dense memory of its own
  operand_in_use,      // not in place: somebody else reads the old value
  partner_missing,     // the claim whose extra memory it reads was not made
  several_readers,     // not fused: others read what would stay inside
  needed_by_gradient,  // not fused: the gradient reads what would stay inside
  broadcast_kind,      // not fused: a broadcast that the kernel cannot read
  too_long,            // not fused: the kernel would become too long
  between,             // not fused: something between the two reads one and is read by the other
  domain,              // not fused: the two run over different indices
};
[[nodiscard]] std::string_view name_of(ReasonCode code);

// A reason: one of the list, and what is particular about it.
struct Reason {
  // Of the closed list.
  ReasonCode code = ReasonCode::not_recognised;
  // The particulars, such as the library's message.
  std::string detail;
};

// A kernel, or why there is none for these views. `copy_operand` >= 0: it would work on a dense copy of that input.
struct Made {
  KernelRef kernel;
  Reason reason;
  int copy_operand = -1;
  // Where chunks can only make parts of a result: so many parts for each of the first outputs, which the kernel writes as [parts, shape...] and the compiler
  // adds up. 1, and beyond the end: the result itself.
  std::vector<std::int64_t> parts = {};
};

// What a backend takes on.
struct Claim {
  std::vector<Ref> inputs;   // what the kernel reads, in its order
  std::vector<Ref> results;  // what it writes, in its order: some of the node's results
  // `threads`: how many workers the chunks are meant for.
  std::function<Made(std::span<const View> inputs, std::span<const View> outputs, int threads)> compile;
  bool loop = false;      // of maps and casts alone, by compile_loop: may be merged with others
  bool in_place = false;  // an output may share memory with an input of the same view
  // Memory that the kernel can make for other claims of its backend: the last output, passed only where a claim wants it.
  std::optional<ResultType> extra = std::nullopt;
  // The nodes whose claims' extra memory the kernel reads: its last inputs. They are computed for that alone if need be.
  std::vector<Ref> wants = {};
};

// A claim, or why there is none.
using Match = std::variant<Claim, Reason>;

// What follows a node's value before it is stored: a formula of that value (operand 0) and of other tensors of its shape.
struct Epilogue {
  // Its operand 0 is the node's value, its operand k is operands[k - 1].
  FormulaRef formula;
  // Tensors of the node's shape; those that broadcast a smaller one are views with strides of 0.
  std::vector<Ref> operands;
  // What the formula computes: the node that the kernel writes in place of the first one.
  Ref result;
  // Where not 0: the formula's operand whose memory the result may take. The formula is then that operand plus the value times factors.
  int updates = 0;
};

// How a compilation wants its backends.
struct BackendOptions {
  bool reproducible = false;  // the same bits for any number of threads, and of a value whatever its kernel computes beside it
  TargetMachine target = this_machine();  // the machine that kernels are for
  bool operator==(const BackendOptions&) const = default;
};

// A way to compute nodes.
class Backend {
 public:
  virtual ~Backend() = default;
  // "oneDNN", "loops": for reports.
  [[nodiscard]] virtual std::string_view name() const = 0;
  // The backend's claim on this node, or why it leaves it.
  [[nodiscard]] virtual Match match(const Ref& node, const BackendOptions& options) const = 0;
  // The backend's claim on this node together with what follows its value, or why it leaves that. The claim's inputs are the node's operands and then the
  // epilogue's.
  [[nodiscard]] virtual Match match_with(const Ref& node, const Epilogue& epilogue, const BackendOptions& options) const {
    static_cast<void>(node), static_cast<void>(epilogue), static_cast<void>(options);
    return Reason{ReasonCode::not_recognised, "kernels that end with their result"};
  }
  // The layouts in which the backend would compute this node much faster: of its result, then of its operands. Empty: the plain ones.
  [[nodiscard]] virtual std::vector<Blocking> blockings(const Ref& node, const BackendOptions& options) const {
    static_cast<void>(node), static_cast<void>(options);
    return {};
  }
};

// The backends in order of preference; the last one takes every node except calls, whose bodies are inlined where nobody claims them. Defined in backends/.
[[nodiscard]] std::span<const Backend* const> backends();

// Kernels that the compiler itself asks for. Defined in backends/loops.
[[nodiscard]] KernelRef compile_loop(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs,
                                     InstructionSet set);  // a fused loop (graph/cluster.h)
[[nodiscard]] KernelRef compile_copy(const View& from, const View& to, InstructionSet set);  // one input, one output of the same shape
[[nodiscard]] KernelRef compile_check(const CheckSpec& spec, const View& view);              // one input, no output; throws CheckFailure when run
[[nodiscard]] KernelRef compile_random(const View& to);                                      // one input: a RandomState

}  // namespace cotan
