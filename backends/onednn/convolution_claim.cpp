// Kernels for sums that are convolutions, in three directions.
#include <fmt/format.h>

#include <algorithm>

#include "backends/onednn/call_list.h"
#include "backends/onednn/claims.h"
#include "backends/onednn/primitive_cache.h"
#include "backends/onednn/tiles.h"

namespace cotan::onednn {
namespace {

enum Tensor : std::size_t { source, weights, result };  // the order of strides and of base offsets here

// A convolution in terms of the library, and where its tensors start.
struct Located {
  ConvolutionProblem problem;
  std::array<std::int64_t, 3> base{};
};

struct Fault {
  std::string text;
};

// One run for the group, or none; a fault for more.
std::optional<Fault> only_run(const char* name, const std::vector<IndexRun>& runs, IndexRun& run) {
  if (runs.size() > 1) return Fault{fmt::format("the {} do not lie on one stride", name)};
  if (!runs.empty()) run = runs[0];
  return std::nullopt;
}

class Locating {
 public:
  Locating(const ConvolutionForm& form, const SumSpec& spec, const SumViews& views) : form_(form), spec_(spec), views_(views) {}

  std::optional<Fault> run(Located& to) {
    const auto access = [&](int tensor) -> const Access& {
      return tensor == output_tensor ? spec_.output : spec_.factors[static_cast<std::size_t>(tensor) - 1];
    };
    std::vector<int> slid;
    for (const ConvolutionWindow& w : form_.windows) slid.push_back(w.dimension);
    const std::size_t indices = spec_.domain.size();
    steps_ = {index_steps(access(form_.source), view(form_.source).strides, indices, slid),
              index_steps(access(form_.weights), view(form_.weights).strides, indices), index_steps(access(form_.result), view(form_.result).strides, indices)};
    to_ = {};
    for (std::size_t t = 0; t < 3; ++t) to_.base[t] = steps_[t].base;
    ConvolutionProblem& p = to_.problem;
    p.direction = form_.output == ConvolutionOutput::result   ? ConvolutionDirection::forward
                  : form_.output == ConvolutionOutput::source ? ConvolutionDirection::backward_data
                                                              : ConvolutionDirection::backward_weights;
    if (auto fault = channels()) return fault;
    if (auto fault = batches()) return fault;
    for (const ConvolutionWindow& w : form_.windows)
      if (auto fault = window(w)) return fault;
    if (p.input.rank() > 3) return Fault{"batches that do not lie on one stride, beside the windows"};
    to = to_;
    return std::nullopt;
  }

 private:
  [[nodiscard]] const View& view(int tensor) const { return views_[static_cast<std::size_t>(tensor)]; }
  [[nodiscard]] std::vector<IndexRun> runs(const std::vector<int>& group) const {
    return runs_of(group, spec_.domain, {&steps_[source], &steps_[weights], &steps_[result]});
  }

  std::optional<Fault> channels() {
    IndexRun groups, in, out;
    if (auto fault = only_run("groups", runs(form_.groups), groups)) return fault;
    if (auto fault = only_run("input channels", runs(form_.in_channels), in)) return fault;
    if (auto fault = only_run("output channels", runs(form_.out_channels), out)) return fault;
    // A group's channels lie side by side, and so do the groups: one stride serves both.
    const auto channel_stride = [&](Tensor t, const IndexRun& channels) -> std::optional<std::int64_t> {
      if (groups.size == 1) return channels.size == 1 ? 1 : channels.strides[t];
      if (channels.size == 1) return groups.strides[t];
      if (groups.strides[t] != channels.size * channels.strides[t]) return std::nullopt;
      return channels.strides[t];
    };
    const auto of_source = channel_stride(source, in), of_result = channel_stride(result, out);
    if (!of_source || !of_result) return Fault{"groups and channels do not lie on one stride"};
    ConvolutionProblem& p = to_.problem;
    p.groups = groups.size;
    p.in_channels = groups.size * in.size;
    p.out_channels = groups.size * out.size;
    p.source_strides = {0, *of_source};  // the batch's is filled in later
    p.result_strides = {0, *of_result};
    p.weights_strides = {groups.strides[weights], out.strides[weights], in.strides[weights]};
    return std::nullopt;
  }

  // The largest run of batches is the batch; others are dimensions with a kernel of one.
  std::optional<Fault> batches() {
    std::vector<IndexRun> all = runs(form_.batch);
    std::stable_sort(all.begin(), all.end(), [](const IndexRun& a, const IndexRun& b) { return a.size > b.size; });
    ConvolutionProblem& p = to_.problem;
    p.batch = all.empty() ? 1 : all[0].size;
    p.source_strides[0] = all.empty() ? 1 : all[0].strides[source];
    p.result_strides[0] = all.empty() ? 1 : all[0].strides[result];
    if (all.size() > 3) return Fault{"batches that do not lie on one stride"};
    for (std::size_t i = 1; i < all.size(); ++i) dimension(all[i].size, 1, all[i].size, 1, 1, 0, {all[i].strides[source], 1, all[i].strides[result]});
    return std::nullopt;
  }

  std::optional<Fault> window(const ConvolutionWindow& w) {
    const auto d = static_cast<std::size_t>(w.dimension);
    const std::int64_t step = view(form_.source).strides[d];
    std::int64_t input = view(form_.source).shape[d], padding = w.padding;
    if (padding < 0) {
      if (form_.output == ConvolutionOutput::source) return Fault{"first entries of the source that no window meets"};
      to_.base[source] -= padding * step;
      input += padding;
      padding = 0;
      if (input < 1) return Fault{"windows that never meet the source"};
    }
    const auto size = [&](int index) { return index < 0 ? std::int64_t{1} : spec_.domain[static_cast<std::size_t>(index)]; };
    const auto stride = [&](Tensor t, int index) { return index < 0 ? std::int64_t{1} : steps_[t].of[static_cast<std::size_t>(index)]; };
    if (to_.problem.input.rank() == 3) return Fault{"more than three dimensions with windows"};
    dimension(input, size(w.tap), size(w.position), w.stride, w.dilation, padding, {step, stride(weights, w.tap), stride(result, w.position)});
    return std::nullopt;
  }

  void dimension(std::int64_t input, std::int64_t kernel, std::int64_t output, std::int64_t stride, std::int64_t dilation, std::int64_t padding,
                 const std::array<std::int64_t, 3>& strides) {
    ConvolutionProblem& p = to_.problem;
    p.input.push_back(input);
    p.kernel.push_back(kernel);
    p.output.push_back(output);
    p.stride.push_back(stride);
    p.dilation.push_back(dilation);
    p.padding.push_back(padding);
    p.source_strides.push_back(strides[source]);
    p.weights_strides.push_back(strides[weights]);
    p.result_strides.push_back(strides[result]);
  }

  const ConvolutionForm& form_;
  const SumSpec& spec_;
  const SumViews& views_;
  std::array<IndexSteps, 3> steps_;
  Located to_;
};

bool repeats(const ConvolutionProblem& p) {
  const auto zero = [](std::int64_t size, std::int64_t stride) { return size > 1 && stride == 0; };
  bool any = zero(p.batch, p.source_strides[0]) || zero(p.in_channels, p.source_strides[1]) || zero(p.batch, p.result_strides[0]) ||
             zero(p.out_channels, p.result_strides[1]) || zero(p.groups, p.weights_strides[0]) || zero(p.out_channels / p.groups, p.weights_strides[1]) ||
             zero(p.in_channels / p.groups, p.weights_strides[2]);
  for (std::size_t i = 0; i < p.input.rank(); ++i)
    any |= zero(p.input[i], p.source_strides[i + 2]) || zero(p.kernel[i], p.weights_strides[i + 3]) || zero(p.output[i], p.result_strides[i + 2]);
  return any;
}

// Which ranges are cut: channels are those of a group where there is one, and groups otherwise.
struct Cuts {
  Cut batch, groups, in, out;
};

// The library's blocks of channels have sixteen entries.
constexpr std::int64_t block = 16;

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
  if (p.direction != ConvolutionDirection::backward_weights) split(cuts.batch, 1);
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
  const BackendOptions& options;
  double work = 0, bytes = 0;
};

Attempt compile_located(const Located& located, const ConvolutionForm& form, const Surroundings& around, int threads) {
  const Tail& tail = around.tail;
  ConvolutionProblem p = located.problem;
  Shape sizes{p.batch, p.out_channels};
  for (std::int64_t size : p.output) sizes.push_back(size);
  const std::optional<std::vector<PostOp>> ops = tied(tail, around.output, sizes, p.result_strides);
  if (!ops) return declined(ReasonCode::layout, "a tensor after the convolution does not lie on the result's strides");
  p.after = *ops;
  const Cuts cuts = cuts_of(p, around.work, threads);
  const std::int64_t in = p.in_channels / p.groups, out = p.out_channels / p.groups;
  // The primitive's inputs in its own order, each as a tensor here and as a factor of the sum.
  const std::array<Tensor, 2> reads = p.direction == ConvolutionDirection::forward         ? std::array{source, weights}
                                      : p.direction == ConvolutionDirection::backward_data ? std::array{result, weights}
                                                                                           : std::array{source, result};
  const Tensor writes = p.direction == ConvolutionDirection::forward ? result : p.direction == ConvolutionDirection::backward_data ? source : weights;
  const std::array<int, 3> tensor{form.source, form.weights, form.result};
  std::vector<std::size_t> inputs{static_cast<std::size_t>(tensor[reads[0]] - 1), static_cast<std::size_t>(tensor[reads[1]] - 1)};
  inputs.insert(inputs.end(), tail.reads.begin(), tail.reads.end());
  if (inputs.size() >= CallList::most_arguments) return declined(ReasonCode::not_recognised, fmt::format("{} tensors read by one kernel", inputs.size()));
  auto kernel = std::make_shared<CallList>(inputs, std::vector<std::size_t>{tail.inputs()});
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
          const Made made = shared_primitive(tile);
          if (!made) return declined(made);
          if (around.options.strict_nan && !made.primitive->exact_at_nonfinite())
            return declined(ReasonCode::nonfinite, "an infinite factor that meets the padding may give NaN");
          std::array<std::int64_t, 3> at = located.base;
          at[source] += batch.first * p.source_strides[0] + (group.first * in + ins.first) * p.source_strides[1];
          at[weights] += group.first * p.weights_strides[0] + outs.first * p.weights_strides[1] + ins.first * p.weights_strides[2];
          at[result] += batch.first * p.result_strides[0] + (group.first * out + outs.first) * p.result_strides[1];
          std::vector<std::int64_t> offsets{at[reads[0]], at[reads[1]]};
          for (std::size_t read : tail.reads) offsets.push_back(AlongOutput(around.output, tail.tensors[read - 2]).at(at[result]));
          offsets.push_back(at[writes]);
          kernel->add_call(kernel->add_primitive(made.primitive), offsets);
          kernel->end_chunk();
        }
      }
    }
  }
  kernel->describe(text_of(p) + text_of(tail), 2 * around.work, around.bytes);
  return {kernel, {}};
}

}  // namespace

Attempt attempt_convolution(const ConvolutionForm& form, const SumSpec& spec, const SumViews& views, const Tail& tail, const BackendOptions& options,
                            int threads) {
  Located located;
  if (const auto fault = Locating(form, spec, views).run(located)) return declined(ReasonCode::layout, fault->text);
  if (repeats(located.problem)) return declined(ReasonCode::layout, "a tensor repeats its elements (stride 0)");
  Surroundings around{tail, views[0].shape, options, 1, 4 * (elements_of(views[0]) + elements_of(views[1]) + elements_of(views[2]))};
  for (std::int64_t size : spec.domain) around.work *= static_cast<double>(size);
  for (const View& tensor : tail.tensors) around.bytes += 4 * elements_in_memory(tensor);
  const Attempt attempt = compile_located(located, form, around, threads);
  if (attempt.kernel || threads == 1 || attempt.reason.code == ReasonCode::nonfinite) return attempt;
  return compile_located(located, form, around, 1);  // a tile may be refused where the whole is not
}

}  // namespace cotan::onednn
