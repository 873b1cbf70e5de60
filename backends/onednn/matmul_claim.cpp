// Kernels for sums that are products of matrices.
#include <fmt/format.h>

#include <algorithm>

#include "backends/onednn/call_list.h"
#include "backends/onednn/claims.h"
#include "backends/onednn/primitive_cache.h"
#include "backends/onednn/rest_loop.h"
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

MatmulProblem problem_of(const Arrangement& at, const std::vector<IndexRun>& inside, std::int64_t first_batch, std::int64_t m, std::int64_t n) {
  MatmulProblem p;
  p.m = m;
  p.n = n;
  p.k = at.k.size;
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

// What follows the products of a loop over k: the first one writes, the others add to it, the last one ends with the tail. Where the tail adds to what the
// output held, each product does.
std::vector<PostOp> after_part(const std::vector<PostOp>& ops, const Tail& tail, std::int64_t part, std::int64_t parts) {
  if (tail.old) return ops;
  std::vector<PostOp> after;
  if (part > 0) after.push_back({PostOpKind::accumulate});
  if (part == parts - 1) after.insert(after.end(), ops.begin(), ops.end());
  return after;
}

// Whether this product of a loop over k is one that ends with the tail's post-operations, and so reads their tensors.
bool ends_with_tail(const Tail& tail, std::int64_t part, std::int64_t parts) { return tail.old || part == parts - 1; }

// A part of the result: of its first batch run, its rows and its columns.
struct Block {
  Part batch, rows, columns;
};

// Its sizes: batches inside the primitives, batches as calls, rows, columns.
Shape sizes_of(const Block& block, const Way& way) {
  Shape sizes;
  for (const auto* runs : {&way.inside, &way.calls})
    for (const IndexRun& run : *runs) sizes.push_back(sizes.empty() ? block.batch.size : run.size);
  sizes.push_back(block.rows.size);
  sizes.push_back(block.columns.size);
  return sizes;
}
// The strides of the result along these.
Shape strides_of(const Way& way, const Arrangement& at) {
  Shape strides;
  for (const auto* runs : {&way.inside, &way.calls})
    for (const IndexRun& run : *runs) strides.push_back(run.strides[0]);
  strides.push_back(at.m.strides[0]);
  strides.push_back(at.n.strides[0]);
  return strides;
}

// Fewer rows in one call would have the library pack the other factor for little.
constexpr std::int64_t least_rows = 64;

// A block in pieces that a loop finds in the cache.
std::vector<Block> pieces_of(const Block& block, std::int64_t elements) {
  const bool by_batch = block.batch.size > 1;
  const std::int64_t parts = parts_before_loops(elements);
  const Cut cuts = by_batch ? cut(block.batch.size, parts) : cut(block.rows.size, std::min(parts, block.rows.size / least_rows), 8);
  std::vector<Block> pieces;
  for (std::int64_t i = 0; i < cuts.parts(); ++i) {
    Block& piece = pieces.emplace_back(block);
    Part& some = by_batch ? piece.batch : piece.rows;
    some = {some.first + cuts.part(i).first, cuts.part(i).size};
  }
  return pieces;
}

Attempt compile_way(const Arrangement& at, const Way& way, const Tail& tail, const BackendOptions& options, const Shape& output, const std::string& what,
                    double bytes, int threads) {
  // The first batch run may be cut; where batches are calls, it is the calls' first run.
  const std::vector<IndexRun>& cut_runs = way.inside.empty() ? way.calls : way.inside;
  const std::int64_t first = cut_runs.empty() ? 1 : cut_runs[0].size;
  const std::int64_t batches = steps_in(way.inside) * steps_in(way.calls), loop = steps_in(at.k_loop);
  // Where what follows the product must not change it, all products are cut in the same way.
  const bool followed = !tail.empty() && !tail.old;
  const MatmulCuts cuts = cut_matmul(batches, at.m.size, at.n.size, at.k.size * loop, threads, followed || options.reproducible);
  if (followed && !options.reproducible) {
    const double apart = cut_matmul(batches, at.m.size, at.n.size, at.k.size * loop, threads).cycles + cycles_of_a_loop(batches, at.m.size, at.n.size, threads);
    if (cuts.cycles > apart)
      return declined(ReasonCode::not_profitable, fmt::format("{:.0f} cycles in tiles of whole rows, {:.0f} with a loop of its own", cuts.cycles, apart));
  }
  const Cut batch = cut(first, std::min(cuts.batch.parts(), first));
  const std::int64_t calls = batch.parts() * cuts.m.parts() * cuts.n.parts() * loop * (way.inside.empty() ? batches : steps_in(way.calls));
  if (calls > most_calls) return declined(ReasonCode::not_profitable, fmt::format("{} products in place of one", calls));

  const auto a_input = static_cast<std::size_t>(at.a - 1), b_input = static_cast<std::size_t>(at.b - 1);
  if (tail.buffers_of_a_call() > CallList::most_arguments)
    return declined(ReasonCode::not_recognised, fmt::format("{} tensors read by one kernel", tail.inputs()));
  auto kernel = std::make_shared<CallList>();
  const MatmulProblem all = problem_of(at, way.inside, first, at.m.size, at.n.size);
  Shape sizes = all.batch;
  for (std::int64_t size : {all.m, all.n}) sizes.push_back(size);
  const std::optional<std::vector<PostOp>> ops = tied(tail, output, sizes, all.c_strides);
  if (!ops) return declined(ReasonCode::layout, "a tensor after the product does not lie on the product's strides");
  std::vector<AlongOutput> along;
  for (std::size_t read : tail.reads) along.emplace_back(output, tail.tensors[read - 2]);
  std::optional<RestLoop> rest;
  if (tail.rest) {
    const Block whole{{0, first}, {0, at.m.size}, {0, at.n.size}};
    rest = RestLoop::make(tail, output, sizes_of(whole, way), strides_of(way, at));
    if (!rest) return declined(ReasonCode::layout, "a tensor after the product does not lie on the product's strides");
  }

  // Where a block begins in the result and in the factors.
  const auto start_of = [&](const Block& block) {
    std::array<std::int64_t, 3> start = at.base;
    for (std::size_t t = 0; t < 3; ++t) {
      start[t] += block.rows.first * at.m.strides[t] + block.columns.first * at.n.strides[t];
      if (!cut_runs.empty()) start[t] += block.batch.first * cut_runs[0].strides[t];
    }
    return start;
  };
  // Appends the products of a block, and what follows them; a refusal where there is no primitive.
  const auto add_block = [&](const Block& block) -> std::optional<Attempt> {
    std::vector<IndexRun> outer = way.calls;
    if (way.inside.empty() && !outer.empty()) outer[0].size = block.batch.size;
    std::array<std::size_t, 3> number{};  // of the first, the middle and the last product of a loop over k
    const auto place = [&](std::int64_t part) { return part == loop - 1 ? std::size_t{2} : part > 0 ? std::size_t{1} : std::size_t{0}; };
    for (std::int64_t part : {std::int64_t{0}, std::int64_t{1}, loop - 1}) {
      if (part >= loop) continue;
      MatmulProblem problem = problem_of(at, way.inside, block.batch.size, block.rows.size, block.columns.size);
      problem.after = after_part(*ops, tail, part, loop);
      const Made made = shared_primitive(problem);
      if (!made) return declined(made);
      std::vector<std::size_t> inputs{a_input, b_input};
      if (ends_with_tail(tail, part, loop)) inputs.insert(inputs.end(), tail.reads.begin(), tail.reads.end());
      number[place(part)] = kernel->add_primitive(made.primitive, std::move(inputs), {tail.inputs()});
    }
    const std::array<std::int64_t, 3> start = start_of(block);
    each_step(outer, 0, start, [&](const std::array<std::int64_t, 3>& product) {
      std::int64_t part = 0;
      each_step(at.k_loop, 0, product, [&](const std::array<std::int64_t, 3>& to) {
        std::vector<std::int64_t> offsets{to[1], to[2]};
        if (ends_with_tail(tail, part, loop))
          for (const AlongOutput& tensor : along) offsets.push_back(tensor.at(to[0]));
        offsets.push_back(to[0]);
        kernel->add_call(number[place(part++)], offsets);
      });
    });
    if (rest) rest->add_to(*kernel, sizes_of(block, way), start[0]);
    return std::nullopt;
  };

  for (std::int64_t ib = 0; ib < batch.parts(); ++ib) {
    for (std::int64_t im = 0; im < cuts.m.parts(); ++im) {
      for (std::int64_t in = 0; in < cuts.n.parts(); ++in) {
        const Block chunk{batch.part(ib), cuts.m.part(im), cuts.n.part(in)};
        const bool in_pieces = rest && !options.reproducible;
        for (const Block& block : in_pieces ? pieces_of(chunk, sizes_of(chunk, way).elements()) : std::vector{chunk})
          if (std::optional<Attempt> refused = add_block(block)) return *std::move(refused);
        if (tail.old) {
          const bool by_rows = at.n.strides[0] == 1 || chunk.columns.size == 1;
          kernel->start_from(*tail.old, start_of(chunk)[0], by_rows ? chunk.rows.size : chunk.columns.size, by_rows ? chunk.columns.size : chunk.rows.size,
                             by_rows ? at.m.strides[0] : at.n.strides[0]);
        }
        kernel->end_chunk();
      }
    }
  }
  const double flops = 2.0 * static_cast<double>(batches * at.m.size * at.n.size) * static_cast<double>(at.k.size * loop);
  kernel->describe(what, flops, bytes);
  return {kernel, {}};
}

}  // namespace

Attempt attempt_matmul(const MatmulForm& form, const SumSpec& spec, const SumViews& views, const Tail& tail, const BackendOptions& options, int threads) {
  std::optional<Arrangement> at = arrange(form, spec, {views[0].strides, views[1].strides, views[2].strides});
  if (!at) return declined(ReasonCode::layout, "no choice of rows and columns has a contiguous one in all three tensors");
  const std::int64_t batches = steps_in(at->batch), loop = steps_in(at->k_loop);
  const std::string sizes = fmt::format("{}x{}x{}", at->m.size, at->k.size * loop, at->n.size);
  const std::string what = (batches > 1 ? fmt::format("matmul {} of {}", batches, sizes) : fmt::format("matmul {}", sizes)) + text_of(tail);
  double bytes = 4 * (elements_of(views[0]) + elements_of(views[1]) + elements_of(views[2]));
  for (const View& tensor : tail.tensors) bytes += 4 * elements_in_memory(tensor);
  if (tail.old && batches > 1) return declined(ReasonCode::layout, "an update by a batch of products");

  std::stable_sort(at->batch.begin(), at->batch.end(), [](const IndexRun& a, const IndexRun& b) { return a.size > b.size; });
  Attempt attempt = declined(ReasonCode::layout, fmt::format("{} dimensions of batches", at->batch.size()));
  if (at->batch.size() <= most_batch_dimensions) attempt = compile_way(*at, {at->batch, {}}, tail, options, views[0].shape, what, bytes, threads);
  // Batches as calls of their own, where one product is worth one.
  const double product = static_cast<double>(at->m.size * at->n.size) * static_cast<double>(at->k.size);
  if (!attempt.kernel && !at->batch.empty() && product >= 2e4) {
    Attempt one_by_one = compile_way(*at, {{}, at->batch}, tail, options, views[0].shape, what, bytes, threads);
    if (one_by_one.kernel) return one_by_one;
  }
  return attempt;
}

}  // namespace cotan::onednn
