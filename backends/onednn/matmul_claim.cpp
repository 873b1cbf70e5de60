// Kernels for sums that are products of matrices.
#include <fmt/format.h>

#include <algorithm>

#include "backends/onednn/call_list.h"
#include "backends/onednn/claims.h"
#include "backends/onednn/primitive_cache.h"
#include "backends/onednn/tiles.h"

namespace cotan::onednn {
namespace {

constexpr std::int64_t most_calls = 4096;         // of one kernel
constexpr std::size_t most_batch_dimensions = 6;  // of one primitive

// Calls visit(offsets in c, a, b) for every combination of the runs' steps.
template <class Visit>
void each_step(const std::vector<IndexRun>& runs, std::size_t from, const std::array<std::int64_t, 3>& at, Visit&& visit) {
  if (from == runs.size()) {
    visit(at);
    return;
  }
  for (std::int64_t i = 0; i < runs[from].size; ++i) {
    std::array<std::int64_t, 3> next = at;
    for (std::size_t t = 0; t < 3; ++t) next[t] += i * runs[from].strides[t];
    each_step(runs, from + 1, next, visit);
  }
}

std::int64_t steps_in(const std::vector<IndexRun>& runs) {
  std::int64_t steps = 1;
  for (const IndexRun& r : runs) steps *= r.size;
  return steps;
}

// A way to compute an arranged product: batches inside the primitives, batches as calls.
struct Way {
  std::vector<IndexRun> inside, calls;
};

MatmulProblem problem_of(const Arrangement& at, const std::vector<IndexRun>& inside, std::int64_t first_batch, std::int64_t m, std::int64_t n,
                         bool accumulate) {
  MatmulProblem p;
  p.m = m;
  p.n = n;
  p.k = at.k.size;
  p.accumulate = accumulate;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    p.batch.push_back(i == 0 ? first_batch : inside[i].size);
    p.c_strides.push_back(inside[i].strides[0]);
    p.a_strides.push_back(inside[i].strides[1]);
    p.b_strides.push_back(inside[i].strides[2]);
  }
  for (std::int64_t stride : {at.m.strides[0], at.n.strides[0]}) p.c_strides.push_back(stride);
  for (std::int64_t stride : {at.m.strides[1], at.k.strides[1]}) p.a_strides.push_back(stride);
  for (std::int64_t stride : {at.k.strides[2], at.n.strides[2]}) p.b_strides.push_back(stride);
  return p;
}

Attempt compile_way(const Arrangement& at, const Way& way, const std::string& what, double bytes, int threads) {
  // The first batch run may be cut; where batches are calls, it is the calls' first run.
  const std::vector<IndexRun>& cut_runs = way.inside.empty() ? way.calls : way.inside;
  const std::int64_t first = cut_runs.empty() ? 1 : cut_runs[0].size;
  const std::int64_t batches = steps_in(way.inside) * steps_in(way.calls), loop = steps_in(at.k_loop);
  const MatmulCuts cuts = cut_matmul(batches, at.m.size, at.n.size, at.k.size * loop, threads);
  const Cut batch = cut(first, std::min(cuts.batch.parts(), first));
  const std::int64_t calls = batch.parts() * cuts.m.parts() * cuts.n.parts() * loop * (way.inside.empty() ? batches : steps_in(way.calls));
  if (calls > most_calls) return declined(ReasonCode::not_profitable, fmt::format("{} products in place of one", calls));

  const auto a_input = static_cast<std::size_t>(at.a - 1), b_input = static_cast<std::size_t>(at.b - 1);
  auto kernel = std::make_shared<CallList>(std::vector{a_input, b_input}, std::vector<std::size_t>{2});
  for (std::int64_t ib = 0; ib < batch.parts(); ++ib) {
    const Part some = batch.part(ib);
    std::vector<IndexRun> outer = way.calls;
    if (way.inside.empty() && !outer.empty()) outer[0].size = some.size;
    for (std::int64_t im = 0; im < cuts.m.parts(); ++im) {
      const Part rows = cuts.m.part(im);
      for (std::int64_t in = 0; in < cuts.n.parts(); ++in) {
        const Part columns = cuts.n.part(in);
        std::array<std::int64_t, 3> start = at.base;
        for (std::size_t t = 0; t < 3; ++t) {
          start[t] += rows.first * at.m.strides[t] + columns.first * at.n.strides[t];
          if (!cut_runs.empty()) start[t] += some.first * cut_runs[0].strides[t];
        }
        // The first product of a loop over k writes, the others add to it.
        std::array<std::size_t, 2> primitive{};
        for (std::size_t adds = 0; adds < (loop > 1 ? 2u : 1u); ++adds) {
          const Made made = shared_primitive(problem_of(at, way.inside, some.size, rows.size, columns.size, adds == 1));
          if (!made) return declined(made);
          primitive[adds] = kernel->add_primitive(made.primitive);
        }
        each_step(outer, 0, start, [&](const std::array<std::int64_t, 3>& product) {
          bool adds = false;
          each_step(at.k_loop, 0, product, [&](const std::array<std::int64_t, 3>& to) {
            kernel->add_call(primitive[adds ? 1 : 0], std::array{to[1], to[2], to[0]});
            adds = true;
          });
        });
        kernel->end_chunk();
      }
    }
  }
  const double flops = 2.0 * static_cast<double>(batches * at.m.size * at.n.size) * static_cast<double>(at.k.size * loop);
  kernel->describe(what, flops, bytes);
  return {kernel, {}};
}

}  // namespace

Attempt attempt_matmul(const MatmulForm& form, const SumSpec& spec, const SumViews& views, int threads) {
  std::optional<Arrangement> at = arrange(form, spec, {views[0].strides, views[1].strides, views[2].strides});
  if (!at) return declined(ReasonCode::layout, "no choice of rows and columns has a contiguous one in all three tensors");
  const std::int64_t batches = steps_in(at->batch), loop = steps_in(at->k_loop);
  const std::string sizes = fmt::format("{}x{}x{}", at->m.size, at->k.size * loop, at->n.size);
  const std::string what = batches > 1 ? fmt::format("matmul {} of {}", batches, sizes) : fmt::format("matmul {}", sizes);
  const double bytes = 4 * (elements_of(views[0]) + elements_of(views[1]) + elements_of(views[2]));

  std::stable_sort(at->batch.begin(), at->batch.end(), [](const IndexRun& a, const IndexRun& b) { return a.size > b.size; });
  Attempt attempt = declined(ReasonCode::layout, fmt::format("{} dimensions of batches", at->batch.size()));
  if (at->batch.size() <= most_batch_dimensions) attempt = compile_way(*at, {at->batch, {}}, what, bytes, threads);
  // Batches as calls of their own, where one product is worth one.
  const double product = static_cast<double>(at->m.size * at->n.size) * static_cast<double>(at->k.size);
  if (!attempt.kernel && !at->batch.empty() && product >= 2e4) {
    Attempt one_by_one = compile_way(*at, {{}, at->batch}, what, bytes, threads);
    if (one_by_one.kernel) return one_by_one;
  }
  return attempt;
}

}  // namespace cotan::onednn
