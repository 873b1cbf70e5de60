#include "backends/onednn/convolution_location.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace cotan::onednn {
namespace {

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
    single_blocks();
    to = to_;
    return std::nullopt;
  }

 private:
  [[nodiscard]] const View& view(int tensor) const { return views_[static_cast<std::size_t>(tensor)]; }
  [[nodiscard]] std::vector<IndexRun> runs(const std::vector<int>& group) const {
    return runs_of(group, spec_.domain, {&steps_[source], &steps_[weights], &steps_[result]});
  }

  // Channels of one kind, which may lie in blocks in some tensors. The inner run is that within a block, or all channels where there is one run.
  struct Channels {
    IndexRun inner;
    std::int64_t blocks = 1;              // outer steps
    std::array<std::int64_t, 3> outer{};  // strides from block to block
    [[nodiscard]] std::int64_t size() const { return blocks * inner.size; }
    // Whether the tensor's blocks follow each other, so that one stride serves all channels.
    [[nodiscard]] bool plain(ConvolutionTensor t) const { return blocks == 1 || outer[t] == inner.size * inner.strides[t]; }
  };

  static std::optional<Fault> read(const char* name, const std::vector<IndexRun>& runs, Channels& channels) {
    if (runs.size() > 2) return Fault{fmt::format("the {} do not lie on one stride", name)};
    if (!runs.empty()) channels.inner = runs.back();
    if (runs.size() == 2) {
      channels.blocks = runs[0].size;
      channels.outer = runs[0].strides;
    }
    return std::nullopt;
  }

  std::optional<Fault> channels() {
    IndexRun groups;
    Channels in, out;
    if (auto fault = only_run("groups", runs(form_.groups), groups)) return fault;
    if (auto fault = read("input channels", runs(form_.in_channels), in)) return fault;
    if (auto fault = read("output channels", runs(form_.out_channels), out)) return fault;
    ConvolutionProblem& p = to_.problem;
    p.groups = groups.size;
    p.in_channels = groups.size * in.size();
    p.out_channels = groups.size * out.size();
    if (groups.size > 1 && (in.blocks > 1 || out.blocks > 1)) return Fault{"blocks of channels in groups"};
    // A group's channels lie side by side, and so do the groups: one stride serves both.
    const auto channel_stride = [&](ConvolutionTensor t, const Channels& channels, std::int64_t& block) -> std::optional<std::int64_t> {
      if (groups.size == 1 && !channels.plain(t)) {
        if (channels.inner.strides[t] != 1) return std::nullopt;
        block = channels.inner.size;
        return channels.outer[t];
      }
      const IndexRun& run = channels.inner;
      if (groups.size == 1) return run.size == 1 ? 1 : run.strides[t];
      if (run.size == 1) return groups.strides[t];
      if (groups.strides[t] != run.size * run.strides[t]) return std::nullopt;
      return run.strides[t];
    };
    const auto of_source = channel_stride(source, in, p.blocks.source), of_result = channel_stride(result, out, p.blocks.result);
    if (!of_source || !of_result) return Fault{"groups and channels do not lie on one stride"};
    p.source_strides = {0, *of_source};  // the batch's is filled in later
    p.result_strides = {0, *of_result};
    return weights_channels(groups, in, out);
  }

  std::optional<Fault> weights_channels(const IndexRun& groups, const Channels& in, const Channels& out) {
    ConvolutionProblem& p = to_.problem;
    const std::int64_t i = in.inner.strides[weights], o = out.inner.strides[weights];
    const bool in_blocks = !in.plain(weights), out_blocks = !out.plain(weights);
    p.weights_strides = {groups.strides[weights], out_blocks ? out.outer[weights] : o, in_blocks ? in.outer[weights] : i};
    if (!in_blocks && !out_blocks) return std::nullopt;
    // A kind of channel with one block has one run, and is one of a pair of blocks where its stride is that within the pair.
    const std::int64_t in_size = in.inner.size, out_size = out.inner.size;
    const bool both = (in_blocks || in.blocks == 1) && (out_blocks || out.blocks == 1);
    if (both && in_size == out_size && ((o == 1 && i == out_size) || (i == 1 && o == in_size))) {
      p.blocks.in = in_size;
      p.blocks.out = out_size;
      p.blocks.out_innermost = o == 1;
    } else if (out_blocks && !in_blocks && o == 1) {
      p.blocks.out = out_size;
    } else {
      return Fault{"blocks of the weights' channels that do not lie as the library's"};
    }
    return std::nullopt;
  }

  // A tensor of one block of channels has one run of them, of stride 1 within the positions.
  void single_blocks() {
    ConvolutionProblem& p = to_.problem;
    const auto is_block = [&](const Shape& strides, const Shape& sizes, std::int64_t channels, std::int64_t block) {
      if (block > 1 || p.groups > 1 || strides[1] != 1 || (channels != 8 && channels != 16)) return false;
      for (std::size_t d = sizes.rank(); d-- > 0;)
        if (sizes[d] > 1) return strides[d + 2] == channels;
      return false;
    };
    const std::int64_t in = p.in_channels, out = p.out_channels, o = p.weights_strides[1], i = p.weights_strides[2];
    const auto tap_step = [&] {
      for (std::size_t d = p.kernel.rank(); d-- > 0;)
        if (p.kernel[d] > 1) return p.weights_strides[d + 3];
      return in * out;
    }();
    const bool one_pair = in == out && ((o == 1 && i == out) || (i == 1 && o == in)), out_alone = o == 1 && (in == 1 || i == out);
    if (p.groups == 1 && p.blocks.out == 1 && (out == 8 || out == 16) && tap_step == in * out && (one_pair || out_alone)) {
      p.blocks.out = out;
      p.blocks.in = one_pair ? in : 1;
      p.blocks.out_innermost = o == 1;
    }
    if (is_block(p.source_strides, p.input, p.in_channels, p.blocks.source)) p.blocks.source = p.in_channels;
    if (is_block(p.result_strides, p.output, p.out_channels, p.blocks.result)) p.blocks.result = p.out_channels;
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
    const auto stride = [&](ConvolutionTensor t, int index) { return index < 0 ? std::int64_t{1} : steps_[t].of[static_cast<std::size_t>(index)]; };
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

}  // namespace

std::variant<Located, std::string> locate(const ConvolutionForm& form, const SumSpec& spec, const SumViews& views) {
  Located located;
  if (auto fault = Locating(form, spec, views).run(located)) return std::move(fault->text);
  return located;
}

}  // namespace cotan::onednn
