#include "backends/loops/backend.h"

#include "backends/loops/loops.h"
#include "graph/cluster.h"

namespace cotan {
namespace loops {
namespace {

using Views = std::span<const View>;

class Loops final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "loops"; }

  [[nodiscard]] Match match(const Ref& node, const BackendOptions& options) const override {
    Claim claim;
    for (const Edge& e : node->operands()) claim.inputs.emplace_back(e);
    claim.results = {node};
    const InstructionSet set = options.target.instructions;
    switch (node->kind) {
      case Kind::map:
        if (node->operand_count == 0 && node->formula().nodes.size() == 1) {
          claim.compile = [value = node->formula().nodes[0].literal, set](Views, Views out, int) { return Made{compile_fill(value, out[0], set), {}}; };
          break;
        }
        [[fallthrough]];
      case Kind::cast:
        claim.in_place = claim.loop = true;
        claim.compile = [cluster = cluster_of(*node.node()), set](Views in, Views out, int) { return Made{compile_cluster(cluster, in, out, set), {}}; };
        break;
      case Kind::sum:
        claim.compile = [spec = node->shared<SumSpec>()](Views in, Views out, int) {
          return Made{compile_sum(*spec, in.first(spec->factors.size()), in.subspan(spec->factors.size()), out[0]), {}};
        };
        break;
      case Kind::reduce:
        claim.compile = [spec = node->shared<ReduceSpec>()](Views in, Views out, int) { return Made{compile_reduce(*spec, in[0], out[0]), {}}; };
        break;
      case Kind::scan:
        claim.compile = [spec = node->as<ScanSpec>()](Views in, Views out, int) { return Made{compile_scan(spec, in[0], in[1], out[0]), {}}; };
        break;
      case Kind::order:
        claim.compile = [spec = node->as<OrderSpec>()](Views in, Views out, int) { return Made{compile_order(spec, in[0], out[0]), {}}; };
        break;
      case Kind::leaf:
        if (node->as<LeafSpec>().role != LeafRole::iota) return Reason{ReasonCode::not_recognised, "a leaf without a value"};
        claim.compile = [axis = node->as<LeafSpec>().axis](Views, Views out, int) { return Made{compile_iota(axis, out[0]), {}}; };
        break;
      default: return Reason{ReasonCode::not_recognised, "calls are inlined, and the rest costs nothing"};
    }
    return claim;
  }
};

}  // namespace

const Backend& backend() {
  static const Loops& loops = *new Loops;
  return loops;
}

}  // namespace loops

KernelRef compile_loop(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, InstructionSet set) {
  return loops::compile_cluster(cluster, inputs, outputs, set);
}
KernelRef compile_copy(const View& from, const View& to, InstructionSet set) { return loops::compile_copy(from, to, set); }
KernelRef compile_check(const CheckSpec& spec, const View& view) { return loops::compile_check(spec, view); }
KernelRef compile_random(const View& to) { return loops::compile_random(to); }

}  // namespace cotan
