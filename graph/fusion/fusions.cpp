#include <array>
#include <chrono>

#include "graph/fusion/fusion.h"

namespace cotan {
namespace {

constexpr std::array all_fusions = {
    Fusion{"fuse_updates_into_products", "an update of a parameter becomes part of the product that gives its gradient", fusion::fuse_updates_into_products},
    Fusion{"fuse_epilogues", "maps behind products and convolutions become part of these", fusion::fuse_epilogues},
    Fusion{"place_copies", "placed copies that are added up write each entry of the sum once", fusion::place_copies, false},
    Fusion{"fuse_kernels", "maps of one shape become one loop with several outputs", fusion::fuse_kernels},
    Fusion{"fuse_regions", "loops that share their outer rows run tile by tile", fusion::fuse_regions},
    Fusion{"fuse_updates", "the updates of all parameters become one kernel", fusion::fuse_updates},
    Fusion{"fuse_sums", "loops end in sums of what they compute", fusion::fuse_sums},
};

}  // namespace

std::span<const Fusion> fusions() { return all_fusions; }

void run_fusions(Groups& groups, std::vector<PassRecord>& records) {
  for (const Fusion& f : all_fusions) {
    if (!groups.context().options.passes.enabled(f.name, true)) continue;
    const std::size_t before = groups.changes();
    const auto start = std::chrono::steady_clock::now();
    f.run(groups);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    records.push_back({std::string(f.name), groups.changes() != before, took.count()});
  }
}

}  // namespace cotan
