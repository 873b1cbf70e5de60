// Sums of placed copies, as the gradients of slices and concatenations are: add(pad(a), pad(b), c).
//
// A placed copy as a node of its own writes a whole tensor, mostly zeros, which the addition then reads. Here the copies and the additions become one step that
// writes each entry of the result once. The dimension along which the copies are placed is cut where one begins or ends; in each piece one loop adds what
// stands there: nothing (a fill), or one term or several, added from left to right. Where some term is absent, 0 is added in its place: the bits are those of
// the addition, the sign of a zero included.
#include <fmt/format.h>

#include <algorithm>

#include "graph/cluster.h"
#include "graph/fusion/fusion.h"
#include "graph/fusion/piecewise_kernel.h"
#include "graph/sums/placed.h"

namespace cotan::fusion {
namespace {

constexpr std::string_view name = "place_copies";
// The terms of one step: each may cut every other one's piece in two.
constexpr std::size_t most_terms = 128;

// A term of the sum: a placed copy, which is read at its source, or a tensor of the result's shape.
struct Term {
  Ref source;
  std::optional<sums::Placed> place;
  sums::OpenSum copy;  // where it has a place
  int group = -1;      // of the placed copy
};

// A sub-view along one dimension.
View cut(View view, int dimension, std::int64_t first, std::int64_t end) {
  const auto d = static_cast<std::size_t>(dimension);
  view.offset += first * view.strides[d];
  view.shape[d] = end - first;
  return view;
}

// The sum of so many loads, each times its coefficient, and of a 0 for what is absent.
Cluster addition(DType dtype, std::size_t rank, std::span<const double> coefficients, bool absent) {
  Cluster c;
  c.name = coefficients.empty() ? "fill" : coefficients.size() == 1 ? "copy" : "add";
  c.rank = rank;
  auto add = [&](FormulaNode n) {
    c.nodes.push_back(n);
    return static_cast<int>(c.nodes.size()) - 1;
  };
  int total = -1;
  for (std::size_t k = 0; k < coefficients.size(); ++k) {
    c.loads.push_back({static_cast<int>(k), dtype});
    int term = add({Atom::operand, dtype, static_cast<int>(k), -1, -1, 0});
    if (coefficients[k] != 1) {
      const int factor = add({Atom::constant, dtype, -1, -1, -1, coefficients[k]});
      term = add({Atom::mul, dtype, term, factor, -1, 0});
    }
    total = total < 0 ? term : add({Atom::add, dtype, total, term, -1, 0});
  }
  if (total < 0 || (absent && is_floating(dtype))) {
    const int zero = add({Atom::constant, dtype, -1, -1, -1, 0});
    total = total < 0 ? zero : add({Atom::add, dtype, total, zero, -1, 0});
  }
  c.stores = {{total, 0, dtype}};
  return c;
}

// One loop for each piece of the result, which they fill without meeting.
struct Pieces {
  std::vector<Term> terms;
  std::vector<std::size_t> inputs;  // of each term
  int dimension = 0;
  std::vector<std::int64_t> cuts;  // where pieces begin, and the end
  InstructionSet set;              // of the loops

  Made compile(std::span<const View> in, const View& out) const {
    std::vector<KernelPiece> made;
    for (std::size_t p = 0; p + 1 < cuts.size(); ++p) {
      const sums::Placed here{dimension, cuts[p], cuts[p + 1]};
      KernelPiece piece;
      std::vector<View> views;
      std::vector<double> coefficients;
      auto add = [&](std::size_t buffer, const View& whole, const View& part) {
        piece.buffers.push_back(buffer);
        piece.offsets.push_back((part.offset - whole.offset) * static_cast<std::int64_t>(size_of(part.dtype)));
        views.push_back(part);
      };
      for (std::size_t t = 0; t < terms.size(); ++t) {
        const Term& term = terms[t];
        if (term.place && (term.place->first > here.first || term.place->end < here.end)) continue;
        const View& source = in[inputs[t]];
        const auto part = term.place ? sums::view_at(term.copy, here, source) : cut(source, dimension, here.first, here.end);
        if (!part) return {nullptr, {ReasonCode::layout, "a placed copy that strides cannot say"}};
        add(inputs[t], source, *part);
        coefficients.push_back(term.place ? term.copy.spec.coefficient : 1);
      }
      add(in.size(), out, cut(out, dimension, here.first, here.end));
      const std::span<const View> all = views;
      const bool absent = coefficients.size() < terms.size();
      piece.kernel = compile_loop(addition(out.dtype, out.shape.rank(), coefficients, absent), all.first(all.size() - 1), all.last(1), set);
      made.push_back(std::move(piece));
    }
    const std::string called = fmt::format("loops {} terms in {} places", terms.size(), made.size());
    return {make_piecewise_kernel(called, std::move(made)), {}};
  }
};

class Placing {
 public:
  explicit Placing(Groups& groups) : groups_(groups) {}

  void run() {
    for (std::size_t g = groups_.all().size(); g-- > 0;) {  // the last additions first: they have the others below them
      const Group& group = groups_[static_cast<int>(g)];
      if (group.nodes.size() == 1 && group.claim.loop && sums::is_addition(*group.nodes[0].node())) try_place(static_cast<int>(g));
    }
  }

 private:
  void try_place(int root) {
    const Ref result = groups_[root].nodes[0];
    std::vector<int> all{root};
    std::vector<Term> terms;
    std::vector<Ref> open{result};
    while (!open.empty()) {
      const Ref r = open.back();
      open.pop_back();
      const int group = groups_.of(r.node());
      const bool own =
          group == root || (group >= 0 && groups_[group].nodes.size() == 1 && groups_.readers(r.node()).size() == 1 && !groups_.is_result(r.node()));
      if (own && sums::is_addition(*r.node()) && groups_[group].claim.loop && terms.size() + open.size() + r->operand_count <= most_terms) {
        if (group != root) all.push_back(group);
        for (std::size_t k = r->operand_count; k-- > 0;) open.push_back(r->operand(k));
        continue;
      }
      Term term{r, std::nullopt, {}, -1};
      if (own && r->kind == Kind::sum) {
        term.copy = sums::opened(*r.node());
        term.place = sums::placed_of(term.copy);
      }
      if (term.place) {
        term.source = term.copy.factors[0];
        term.group = group;
      }
      terms.push_back(std::move(term));
    }
    // Those that are placed along another dimension than the first one are tensors like others.
    const auto placed = std::find_if(terms.begin(), terms.end(), [](const Term& t) { return t.place.has_value(); });
    if (placed == terms.end()) return;
    auto pieces = std::make_shared<Pieces>();
    pieces->dimension = placed->place->dimension;
    pieces->set = groups_.context().options.backends.target.instructions;
    pieces->cuts = {0, result.shape()[static_cast<std::size_t>(pieces->dimension)]};
    Claim claim;
    for (Term& t : terms) {
      if (t.place && t.place->dimension != pieces->dimension) {
        t.source = graph_node(t);
        t.place.reset();
      }
      if (t.place) {
        all.push_back(t.group);
        pieces->cuts.push_back(t.place->first);
        pieces->cuts.push_back(t.place->end);
      }
      const auto at = std::find(claim.inputs.begin(), claim.inputs.end(), t.source);
      pieces->inputs.push_back(static_cast<std::size_t>(at - claim.inputs.begin()));
      if (at == claim.inputs.end()) claim.inputs.push_back(t.source);
    }
    std::sort(pieces->cuts.begin(), pieces->cuts.end());
    pieces->cuts.erase(std::unique(pieces->cuts.begin(), pieces->cuts.end()), pieces->cuts.end());
    if (!groups_.can_merge(all)) {
      groups_.miss(name, result.node(), {ReasonCode::between, "what lies between reads the one and is read by the other"});
      return;
    }
    pieces->terms = std::move(terms);
    claim.results = {result};
    claim.compile = [pieces = std::shared_ptr<const Pieces>(pieces)](std::span<const View> in, std::span<const View> out, int) {
      return pieces->compile(in, out[0]);
    };
    groups_.merge(all, std::move(claim), name);
  }

  // The placed copy itself.
  Ref graph_node(const Term& t) const { return groups_[t.group].nodes[0]; }

  Groups& groups_;
};

}  // namespace

void place_copies(Groups& groups) { Placing(groups).run(); }

}  // namespace cotan::fusion
