#include "autograd/promised.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "autograd/execution.h"
#include "ops/error.h"

namespace cotan {
namespace {

bool made_by_differentiation(const Node& n) {
  const std::vector<Origin> origins = n.table->origins_of(n);
  return !origins.empty() && origins[0].marks.gradient;
}

// "model.cpp:12, model.cpp:14", each once.
std::string lines_text(const std::vector<int>& nodes, const Structure& structure) {
  std::vector<std::string> lines;
  for (int n : nodes) {
    const std::string line = line_of(*structure.order[static_cast<std::size_t>(n)]).text();
    if (std::ranges::find(lines, line) == lines.end()) lines.push_back(line);
  }
  return fmt::format("{}", fmt::join(lines, ", "));
}

}  // namespace

Promised promised_by(const Structure& structure) {
  Promised made;
  if (structure.order.empty() || !structure.order[0]->table->has_pieces()) return made;
  const std::unordered_set<Edge, RefHash> inputs(structure.inputs.begin(), structure.inputs.end());
  for (std::size_t i = 0; i < structure.order.size(); ++i) {
    const Node& n = *structure.order[i];
    if (n.kind == Kind::leaf || inputs.contains({structure.order[i], 0})) continue;
    std::unordered_set<const Piece*> seen;
    for (const Origin& o : n.table->origins_of(n))
      for (std::shared_ptr<const Piece> piece = o.marks.piece; piece; piece = piece->outer) {
        if (!seen.insert(piece.get()).second) continue;
        auto at = std::ranges::find(made.pieces, piece) - made.pieces.begin();
        if (at == std::ssize(made.pieces)) {
          made.pieces.push_back(piece);
          made.promises.emplace_back();
        }
        made.promises[static_cast<std::size_t>(at)].nodes.push_back(static_cast<int>(i));
      }
  }
  return made;
}

std::vector<bool> made_by_differentiation(const Structure& structure) {
  std::vector<bool> made;
  for (const Node* n : structure.order) made.push_back(made_by_differentiation(*n));
  return made;
}

void require_kept(const ProgramReport& report, const Promised& promised, const Structure& structure) {
  if (report.broken.empty()) return;
  const BrokenPromise& b = report.broken[0];
  const Piece& piece = *promised.pieces[static_cast<std::size_t>(b.promise)];
  std::string steps, reasons;
  for (const KernelReport& k : b.kernels) steps += fmt::format("{}'{}' ({})", steps.empty() ? "" : ", ", k.name, lines_text(k.nodes, structure));
  for (const MissReport& m : b.misses)
    reasons += fmt::format("{}{} at {}: {}, {}", reasons.empty() ? "" : "; ", m.what, lines_text({m.node}, structure), name_of(m.reason.code), m.reason.detail);
  throw Error("must_fuse", fmt::format("{} is {} kernels, not one: {}; {}", piece.name, b.kernels.size(), steps, reasons),
              "Keep in the piece what one kernel can compute, move what is read elsewhere out of it, or take must_fuse away", piece.line);
}

}  // namespace cotan
