// Kernels for sums that are convolutions, in three directions.
#include <fmt/format.h>

#include <algorithm>

#include "backends/onednn/call_list.h"
#include "backends/onednn/claims.h"
#include "backends/onednn/convolution_location.h"
#include "backends/onednn/primitive_cache.h"
#include "backends/onednn/rest_loop.h"
#include "backends/onednn/tiles.h"

namespace cotan::onednn {
namespace {

bool repeats(const ConvolutionProblem& p) {
  const auto zero = [](std::int64_t size, std::int64_t stride) { return size > 1 && stride == 0; };
  bool any = zero(p.batch, p.source_strides[0]) || zero(p.in_channels, p.source_strides[1]) || zero(p.batch, p.result_strides[0]) ||
             zero(p.out_channels, p.result_strides[1]) || zero(p.groups, p.weights_strides[0]) || zero(p.out_channels / p.groups, p.weights_strides[1]) ||
             zero(p.in_channels / p.groups, p.weights_strides[2]);
  for (std::size_t i = 0; i < p.input.rank(); ++i)
    any |= zero(p.input[i], p.source_strides[i + 2]) || zero(p.kernel[i], p.weights_strides[i + 3]) || zero(p.output[i], p.result_strides[i + 2]);
  return any;
}

// The library's blocks of channels have sixteen entries.
constexpr std::int64_t block = 16;

// Which ranges are cut: channels are those of a group where there is one, and groups otherwise. Weights may be computed for parts of the batch, to be added up.
struct Cuts {
  Cut batch, groups, in, out;
  bool parts = false;
};

// Whether the weights' gradient had better be made for parts of the batch: parts of channels in blocks would be copied together first, and little is added up.
bool by_batch(const ConvolutionProblem& p, std::int64_t threads) {
  const std::int64_t weights = p.out_channels * p.in_channels * p.kernel.elements();
  const std::int64_t reordered = p.batch * (p.out_channels > block ? p.out_channels * p.output.elements() : p.in_channels * p.input.elements());
  return p.direction == ConvolutionDirection::backward_weights && p.blocks.result > 1 && p.batch >= threads && threads * weights <= reordered;
}

Cuts cuts_of(const ConvolutionProblem& p, double work, int threads) {
  const std::int64_t in = p.in_channels / p.groups, out = p.out_channels / p.groups;
  Cuts cuts{{p.batch, p.batch}, {p.groups, p.groups}, {in, in}, {out, out}};
  if (threads <= 1 || work < worth_a_tile) return cuts;
  const std::int64_t group_grain = p.groups >= block ? block : 1;
  std::int64_t left = threads;  // parts still wanted
  const auto split = [&](Cut& which, std::int64_t grain) {
    which = cut(which.total, std::min(left, std::max<std::int64_t>(which.total / grain, 1)), grain);
    left = std::max<std::int64_t>(left / which.parts(), 1);
  };
  cuts.parts = by_batch(p, threads);
  if (p.direction != ConvolutionDirection::backward_weights || cuts.parts) split(cuts.batch, 1);
  if (p.groups > 1) {
    if (left > 1) split(cuts.groups, group_grain);
    return cuts;
  }
  if (left > 1 && p.direction != ConvolutionDirection::backward_data) split(cuts.out, block);
  if (left > 1 && p.direction != ConvolutionDirection::forward) split(cuts.in, block);
  return cuts;
}

std::string text_of(const ConvolutionProblem& p) {
  constexpr std::array names{"convolution", "backward-data convolution", "backward-weights convolution"};
  return fmt::format("{} {}x{}x{}, kernel {}, {} channels{}", names[static_cast<std::size_t>(p.direction)], p.batch, p.in_channels, fmt::join(p.input, "x"),
                     fmt::join(p.kernel, "x"), p.out_channels, p.groups > 1 ? fmt::format(", {} groups,", p.groups) : std::string());
}

// What a convolution is compiled with, beside itself.
struct Surroundings {
  const Tail& tail;
  const Shape& output;  // of the sum
  double work = 0, bytes = 0;
};

// A result's sizes with its channels in the problem's blocks, whose entries are the last dimension.
Shape in_blocks(Shape sizes, const ConvolutionProblem& p) {
  if (p.blocks.result == 1) return sizes;
  sizes[1] /= p.blocks.result;
  sizes.push_back(p.blocks.result);
  return sizes;
}

// The tail's steps along the result, whose channels may lie in blocks.
std::optional<std::vector<PostOp>> tied_in_blocks(const Tail& tail, const Shape& output, const ConvolutionProblem& p, const Shape& sizes) {
  const std::int64_t block = p.blocks.result;
  if (block == 1) return tied(tail, output, sizes, p.result_strides);
  Shape split = sizes, strides = p.result_strides;
  split[1] /= block;
  split.insert(2, block);
  strides.insert(2, 1);
  std::optional<std::vector<PostOp>> ops = tied(tail, output, split, strides);
  if (!ops) return std::nullopt;
  for (PostOp& op : *ops) {
    if (!reads_tensor(op.kind)) continue;
    const std::int64_t within = op.strides[2];
    // Blocks that follow each other are plain channels; others have to lie as the result's do.
    const bool one = split[1] == 1, plain = one || op.strides[1] == block * within;
    op.strides.erase(2);
    if (plain) op.strides[1] = within;
    if (!one && plain == (op.strides == p.result_strides)) return std::nullopt;
  }
  return ops;
}

// The loop behind the convolution, and the result as it sees it: channels in blocks are a dimension of their own.
std::optional<RestLoop> rest_of(const Tail& tail, const Shape& output, const ConvolutionProblem& p, const Shape& sizes) {
  Shape strides = p.result_strides;
  if (p.blocks.result > 1) strides.push_back(1);
  return RestLoop::make(tail, output, in_blocks(sizes, p), strides);
}

// In how many calls the library makes images that a loop follows: so few at a time stay in the cache. Weights that each call would have to bring into blocks
// must be few.
Cut images_before_loops(const Made& whole, const ConvolutionProblem& tile, std::int64_t images) {
  const std::int64_t weights = tile.out_channels * (tile.in_channels / tile.groups) * tile.kernel.elements();
  if (whole.primitive->implementation().find("weights") != std::string::npos && parts_before_loops(weights) > 1) return {images, images};
  return cut(images, parts_before_loops(images * tile.out_channels * tile.output.elements()));
}

Attempt compile_located(const Located& located, const ConvolutionForm& form, const Surroundings& around, int threads) {
  const Tail& tail = around.tail;
  ConvolutionProblem p = located.problem;
  if (p.direction != ConvolutionDirection::forward && !tail.empty())
    return declined(ReasonCode::primitive_refused, "only forward convolutions end with what follows them");
  Shape sizes{p.batch, p.out_channels};
  for (std::int64_t size : p.output) sizes.push_back(size);
  std::optional<std::vector<PostOp>> ops = tied_in_blocks(tail, around.output, p, sizes);
  std::optional<RestLoop> rest;
  if (tail.rest) rest = rest_of(tail, around.output, p, sizes);
  if (!ops || (tail.rest && !rest)) return declined(ReasonCode::layout, "a tensor after the convolution does not lie on the result's strides");
  p.after = *std::move(ops);
  const Cuts cuts = cuts_of(p, around.work, threads);
  const std::int64_t in = p.in_channels / p.groups, out = p.out_channels / p.groups;
  // The primitive's inputs in its own order, each as a tensor here and as a factor of the sum.
  const std::array<ConvolutionTensor, 2> reads = p.direction == ConvolutionDirection::forward         ? std::array{source, weights}
                                                 : p.direction == ConvolutionDirection::backward_data ? std::array{result, weights}
                                                                                                      : std::array{source, result};
  const ConvolutionTensor writes = p.direction == ConvolutionDirection::forward         ? result
                                   : p.direction == ConvolutionDirection::backward_data ? source
                                                                                        : weights;
  const std::array<int, 3> tensor{form.source, form.weights, form.result};
  std::vector<std::size_t> inputs{static_cast<std::size_t>(tensor[reads[0]] - 1), static_cast<std::size_t>(tensor[reads[1]] - 1)};
  inputs.insert(inputs.end(), tail.reads.begin(), tail.reads.end());
  if (tail.buffers_of_a_call() > CallList::most_arguments)
    return declined(ReasonCode::not_recognised, fmt::format("{} tensors read by one kernel", tail.inputs()));
  auto kernel = std::make_shared<CallList>();
  for (std::int64_t ib = 0; ib < cuts.batch.parts(); ++ib) {
    for (std::int64_t ig = 0; ig < cuts.groups.parts(); ++ig) {
      for (std::int64_t io = 0; io < cuts.out.parts(); ++io) {
        for (std::int64_t ii = 0; ii < cuts.in.parts(); ++ii) {
          const Part batch = cuts.batch.part(ib), group = cuts.groups.part(ig), outs = cuts.out.part(io), ins = cuts.in.part(ii);
          ConvolutionProblem tile = p;
          tile.batch = batch.size;
          tile.groups = group.size;
          tile.in_channels = group.size * ins.size;
          tile.out_channels = group.size * outs.size;
          const Made whole = shared_primitive(tile);
          if (!whole) return declined(whole);
          const Cut images = rest ? images_before_loops(whole, tile, batch.size) : Cut{batch.size, batch.size};
          for (std::int64_t i = 0; i < images.parts(); ++i) {
            const Part some{batch.first + images.part(i).first, images.part(i).size};
            tile.batch = some.size;
            const Made made = shared_primitive(tile);
            if (!made) return declined(made);
            std::array<std::int64_t, 3> at = located.base;
            at[source] += some.first * p.source_strides[0] + (group.first * in + ins.first) / p.blocks.source * p.source_strides[1];
            at[weights] +=
                group.first * p.weights_strides[0] + outs.first / p.blocks.out * p.weights_strides[1] + ins.first / p.blocks.in * p.weights_strides[2];
            at[result] += some.first * p.result_strides[0] + (group.first * out + outs.first) / p.blocks.result * p.result_strides[1];
            if (cuts.parts) at[weights] += ib * around.output.elements();
            std::vector<std::int64_t> offsets{at[reads[0]], at[reads[1]]};
            for (std::size_t read : tail.reads) offsets.push_back(AlongOutput(around.output, tail.tensors[read - 2]).at(at[result]));
            offsets.push_back(at[writes]);
            kernel->add_call(kernel->add_primitive(made.primitive, inputs, {tail.inputs()}), offsets);
            if (!rest) continue;
            Shape part = sizes;
            part[0] = some.size;
            part[1] = tile.out_channels;
            rest->add_to(*kernel, in_blocks(part, p), at[result]);
          }
          kernel->end_chunk();
        }
      }
    }
  }
  kernel->describe(text_of(p) + text_of(tail), 2 * around.work, around.bytes);
  return {kernel, {}, cuts.parts ? cuts.batch.parts() : 1};
}

}  // namespace

Attempt attempt_convolution(const ConvolutionForm& form, const SumSpec& spec, const SumViews& views, const Tail& tail, int threads) {
  const auto at = locate(form, spec, views);
  if (const auto* fault = std::get_if<std::string>(&at)) return declined(ReasonCode::layout, *fault);
  const auto& located = std::get<Located>(at);
  if (repeats(located.problem)) return declined(ReasonCode::layout, "a tensor repeats its elements (stride 0)");
  Surroundings around{tail, views[0].shape, 1, 4 * (elements_of(views[0]) + elements_of(views[1]) + elements_of(views[2]))};
  for (std::int64_t size : spec.domain) around.work *= static_cast<double>(size);
  for (const View& tensor : tail.tensors) around.bytes += 4 * elements_in_memory(tensor);
  const Attempt attempt = compile_located(located, form, around, threads);
  if (attempt.kernel || threads == 1) return attempt;
  return compile_located(located, form, around, 1);  // a tile may be refused where the whole is not
}

namespace {

// The dimension of a tensor that the one index of a group counts, if it is so simple; -1 where the group is empty.
std::optional<int> dimension_of(const std::vector<int>& group, const Access& access, const Shape& shape, const Domain& domain) {
  if (group.empty()) return -1;
  if (group.size() > 1) return std::nullopt;
  for (std::size_t d = 0; d < access.size(); ++d)
    if (access[d].plain() == group[0] && domain[static_cast<std::size_t>(group[0])] == shape[d]) return static_cast<int>(d);
  return std::nullopt;
}

}  // namespace

std::vector<Blocking> convolution_blockings(const ConvolutionForm& form, const SumSpec& spec, const TensorShapes& shapes) {
  const SumViews views{View::dense(f32, shapes[0]), View::dense(f32, shapes[1]), View::dense(f32, shapes[2])};
  const auto at = locate(form, spec, views);
  const auto* located = std::get_if<Located>(&at);
  if (located == nullptr || !form.groups.empty()) return {};
  const auto dimension = [&](const std::vector<int>& group, int tensor) {
    const auto t = static_cast<std::size_t>(tensor);
    return dimension_of(group, tensor == output_tensor ? spec.output : spec.factors[t - 1], shapes[t], spec.domain);
  };
  const auto source_in = dimension(form.in_channels, form.source), weights_in = dimension(form.in_channels, form.weights);
  const auto weights_out = dimension(form.out_channels, form.weights), result_out = dimension(form.out_channels, form.result);
  if (!source_in || !weights_in || !weights_out || !result_out) return {};
  const ConvolutionProblem& problem = located->problem;
  ConvolutionBlocks blocks = preferred_blocks(problem);
  // What has one block only would go into it by a transpose, a view, which nobody makes for all; the primitive copies it where it reads it.
  if (problem.in_channels == blocks.source) blocks.source = 1;
  if (problem.out_channels == blocks.result) blocks.result = 1;
  if (blocks.out_innermost ? problem.out_channels == blocks.out : problem.in_channels == blocks.in) blocks.in = blocks.out = 1, blocks.out_innermost = true;
  if (blocks == ConvolutionBlocks{}) return {};
  std::vector<Blocking> wishes(3);
  const auto shape_of = [&](int tensor) -> const Shape& { return shapes[static_cast<std::size_t>(tensor)]; };
  // Batch and positions keep the order that the library gives them.
  const auto in_order = [&](int tensor, int channel) { return channel == 1 && shape_of(tensor).rank() == problem.input.rank() + 2; };
  const auto wish = [&](int tensor) -> Blocking& { return wishes[static_cast<std::size_t>(tensor)]; };
  if (blocks.source > 1) {
    if (!in_order(form.source, *source_in)) return {};
    wish(form.source) = blocking_of(shape_of(form.source), *source_in, blocks.source);
  }
  if (blocks.result > 1) {
    if (!in_order(form.result, *result_out)) return {};
    wish(form.result) = blocking_of(shape_of(form.result), *result_out, blocks.result);
  }
  if (blocks.out > 1) {
    const Shape& shape = shape_of(form.weights);
    Blocking& digits = wish(form.weights);
    const int in = *weights_in, out = *weights_out;
    const auto size = [&](int d) { return shape[static_cast<std::size_t>(d)]; };
    digits.push_back({out, size(out) / blocks.out, blocks.out});
    if (in >= 0 && blocks.in > 1) digits.push_back({in, size(in) / blocks.in, blocks.in});
    for (int d = 0; d < static_cast<int>(shape.rank()); ++d)
      if (d != in && d != out) digits.push_back({d, size(d), 1});
    if (in >= 0 && blocks.in == 1) digits.push_back({in, size(in), 1});
    if (in >= 0 && blocks.in > 1 && blocks.out_innermost) digits.push_back({in, blocks.in, 1});
    digits.push_back({out, blocks.out, 1});
    if (in >= 0 && blocks.in > 1 && !blocks.out_innermost) digits.push_back({in, blocks.in, 1});
  }
  return wishes;
}

}  // namespace cotan::onednn
