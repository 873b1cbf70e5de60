// Convolutions in three directions. The kernels that the library writes for its own blocked layouts are several times faster than those for plain ones, so a
// convolution may carry reorders around its kernel; their buffers are part of its scratch.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "backends/onednn/blocked_layouts.h"
#include "backends/onednn/direct_convolution.h"
#include "backends/onednn/post_ops.h"

namespace cotan::onednn {
namespace {

using Dims = dnnl::memory::dims;
using Direction = ConvolutionDirection;
constexpr auto element = dnnl::memory::data_type::f32;

// The first fault in sizes and strides.
Made refuse_form(const ConvolutionProblem& problem) {
  const std::size_t spatial = problem.input.rank();
  if (spatial < 1 || spatial > 3) return refuse(Refusal::malformed, fmt::format("a convolution over {} dimensions; 1 to 3 are possible", spatial));
  for (const auto& [name, sizes, due] : {std::tuple("kernel size", &problem.kernel, spatial),
                                         {"output size", &problem.output, spatial},
                                         {"stride", &problem.stride, spatial},
                                         {"dilation", &problem.dilation, spatial},
                                         {"padding", &problem.padding, spatial},
                                         {"source stride", &problem.source_strides, spatial + 2},
                                         {"weights stride", &problem.weights_strides, spatial + 3},
                                         {"result stride", &problem.result_strides, spatial + 2}}) {
    if (sizes->rank() != due) return refuse(Refusal::malformed, fmt::format("{} entries for the {} where {} are due", sizes->rank(), name, due));
  }
  for (const auto& [name, strides] :
       {std::pair("source", &problem.source_strides), {"weights", &problem.weights_strides}, {"result", &problem.result_strides}}) {
    for (std::int64_t stride : *strides) {
      if (stride < 0) return refuse(Refusal::layout, fmt::format("the {} has a negative stride ({})", name, stride));
    }
  }
  for (const PostOp& op : problem.after) {
    if (problem.direction != Direction::forward) return refuse(Refusal::library_refused, "oneDNN has post-operations after forward convolutions only");
    if (op.kind == PostOpKind::accumulate) return refuse(Refusal::malformed, "a convolution that adds to its output");
    if (reads_tensor(op.kind) && op.strides.rank() != spatial + 2)
      return refuse(Refusal::malformed,
                    fmt::format("{} entries for the strides of a post-operation's tensor where {} are due", op.strides.rank(), spatial + 2));
  }
  for (std::int64_t channels : {problem.in_channels, problem.out_channels}) {
    if (channels % problem.groups != 0) return refuse(Refusal::malformed, fmt::format("{} channels in {} groups", channels, problem.groups));
  }
  if (problem.blocks != ConvolutionBlocks{} && problem.groups > 1) return refuse(Refusal::layout, "blocks of channels in groups");
  return refuse_far_windows(problem.output, problem.stride, problem.kernel, problem.dilation, problem.padding);
}

// Sizes and strides of one tensor, as the library orders them.
struct Tensor {
  Dims sizes, strides;

  // As the caller has it. The strides of dimensions of size 1 say nothing and become those of a dense tensor.
  [[nodiscard]] Layout plain() const {
    Dims tidy = strides;
    for (std::size_t i = sizes.size(); i-- > 0;) {
      if (sizes[i] == 1) tidy[i] = i + 1 < sizes.size() ? sizes[i + 1] * tidy[i + 1] : 1;
    }
    return {sizes, element, tidy};
  }

  // As the library's kernel wants it.
  [[nodiscard]] Layout any() const { return {sizes, element, dnnl::memory::format_tag::any}; }
};

struct Tensors {
  Tensor source, weights, result;
};

Tensors tensors_of(const ConvolutionProblem& problem) {
  const auto dims = [](std::initializer_list<std::int64_t> first, const Shape& rest) {
    Dims all(first);
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  };
  Tensors tensors{.source = {dims({problem.batch, problem.in_channels}, problem.input), dims({}, problem.source_strides)},
                  .weights = {dims({problem.groups, problem.out_channels / problem.groups, problem.in_channels / problem.groups}, problem.kernel),
                              dims({}, problem.weights_strides)},
                  .result = {dims({problem.batch, problem.out_channels}, problem.output), dims({}, problem.result_strides)}};
  if (problem.groups == 1) {  // the library knows a convolution without groups by the missing dimension
    tensors.weights.sizes.erase(tensors.weights.sizes.begin());
    tensors.weights.strides.erase(tensors.weights.strides.begin());
  }
  return tensors;
}

Windows windows_of(const ConvolutionProblem& problem) {
  Windows windows;
  for (std::size_t i = 0; i < problem.input.rank(); ++i) {
    windows.stride.push_back(problem.stride[i]);
    windows.dilation.push_back(problem.dilation[i] - 1);
    windows.padding_before.push_back(problem.padding[i]);
    windows.padding_after.push_back(problem.padding_after(i));
  }
  return windows;
}

// Whether nothing is multiplied with the padding. The library's jit kernels skip it; others write zeros into a buffer first, and 0 * inf is NaN.
bool skips_padding(const Descriptor& kernel, const ConvolutionProblem& problem, const Windows& windows) {
  const auto none = [](const Dims& padding) { return std::ranges::all_of(padding, [](std::int64_t zeros) { return zeros <= 0; }); };
  if (none(windows.padding_before) && none(windows.padding_after)) return true;
  const std::string_view name = kernel.impl_info_str();
  return name.starts_with("jit") || (problem.direction == Direction::backward_data && name.find("gemm") != std::string_view::npos);
}

// Puts a convolution together: reorders of its inputs where the kernel's layouts differ from the caller's, the kernel, a reorder of its output.
class Assembly {
 public:
  explicit Assembly(const Descriptor& kernel) : kernel_(kernel) {}

  void input(int name, const char* role, std::size_t index, const Layout& callers, const Layout& kernels) {
    Place place{Place::In::input, index};
    if (kernels != callers) {
      const Place blocked = program_->reserve(kernels.get_size());
      append_reorder(role, callers, place, kernels, blocked);
      place = blocked;
    }
    arguments_.push_back({name, kernels, place});
  }

  // Comes after the inputs.
  void output(int name, const char* role, const Layout& callers, const Layout& kernels) {
    const Place place{Place::In::output};
    if (kernels == callers) {
      arguments_.push_back({name, kernels, place});
      program_->append(kernel_, std::move(arguments_));
      return;
    }
    const Place blocked = program_->reserve(kernels.get_size());
    arguments_.push_back({name, kernels, blocked});
    program_->append(kernel_, std::move(arguments_));
    append_reorder(role, kernels, blocked, callers, place);
  }

  [[nodiscard]] Made finish(Program::Afterwards afterwards) && {
    if (!refused_.reason.empty()) return std::move(refused_);
    program_->set_afterwards(std::move(afterwards));
    program_->set_implementation(reordered_.empty() ? std::string(kernel_.impl_info_str())
                                                    : fmt::format("{}, reorders: {}", kernel_.impl_info_str(), fmt::join(reordered_, ", ")));
    return {.primitive = std::make_shared<const Primitive>(std::move(program_)), .refusal = Refusal::none, .reason = {}};
  }

 private:
  void append_reorder(const char* role, const Layout& from, Place from_place, const Layout& to, Place to_place) {
    const Descriptor reorder = describe_reorder(from, to);
    if (is_reference(reorder)) refused_ = refuse_reference(reorder, fmt::format("the reorder of the {}", role).c_str());
    program_->append(reorder, {{DNNL_ARG_FROM, from, from_place}, {DNNL_ARG_TO, to, to_place}});
    reordered_.push_back(role);
  }

  const Descriptor& kernel_;
  std::unique_ptr<Program> program_ = std::make_unique<Program>();
  std::vector<Program::Argument> arguments_;
  std::vector<const char*> reordered_;
  Made refused_;
};

// The library wants the last window to end less than a stride before the end of the input. What lies behind it is never read, so the input may as well end
// there; a cotangent of the source cannot be cut, because it has zeros there.
ConvolutionProblem without_unread_end(const ConvolutionProblem& problem) {
  ConvolutionProblem cut = problem;
  if (problem.direction == Direction::backward_data) return cut;
  for (std::size_t i = 0; i < problem.input.rank(); ++i) {
    if (problem.padding_after(i) + problem.stride[i] <= 0) cut.input[i] += problem.padding_after(i);
  }
  return cut;
}

// The layouts of the caller's tensors; nothing where his blocks are none of the library's.
std::optional<ConvolutionLayouts> callers_layouts(const Tensors& tensors, const ConvolutionBlocks& blocks) {
  const auto& [source, weights, result] = tensors;
  const auto of_source = blocks.source > 1 ? blocked_tensor(source.sizes, source.strides, blocks.source) : source.plain();
  const auto of_weights = blocks.out > 1 ? blocked_weights(weights.sizes, weights.strides, blocks) : weights.plain();
  const auto of_result = blocks.result > 1 ? blocked_tensor(result.sizes, result.strides, blocks.result) : result.plain();
  if (!of_source || !of_weights || !of_result) return std::nullopt;
  return ConvolutionLayouts{.source = *of_source, .weights = *of_weights, .result = *of_result};
}

// What is done after a forward convolution.
struct After {
  std::vector<Reach> reaches;
  std::optional<Layout> bias;
  AttachedPostOps attached;
};

// The reach of each post-operation's tensor, or a refusal.
Made reaches_of(const ConvolutionProblem& problem, const Dims& sizes, std::vector<Reach>& reaches) {
  for (const PostOp& op : problem.after) {
    reaches.push_back(Reach::everything);
    if (!reads_tensor(op.kind)) continue;
    const std::optional<Reach> reach = reach_of(Shape(std::span(sizes)), op.strides, 1);
    if (!reach) return refuse(Refusal::layout, "a post-operation's tensor repeats along some dimensions of the result and not along others");
    reaches.back() = *reach;
  }
  return {};
}

// The library's convolutions by way of matrix products compute post-operations element by element: ten to a hundred times what the convolution takes. A bias
// is nearly free with them.
bool applies_slowly(const Descriptor& kernel, const After& after) {
  return std::string_view(kernel.impl_info_str()).find("gemm") != std::string_view::npos && after.attached.ops.len() > 0;
}

// The convolution in the caller's layouts, or in the kernel's.
Made make_in(bool blocked, const ConvolutionProblem& problem) {
  return make_held([&]() -> Made {
    const Tensors tensors = tensors_of(problem);
    const std::optional<ConvolutionLayouts> given = callers_layouts(tensors, problem.blocks);
    if (!given) return refuse(Refusal::layout, "blocks of channels that do not lie as the library's");
    const ConvolutionLayouts& callers = *given;
    const Windows windows = windows_of(problem);
    After after;
    if (Made refused = reaches_of(problem, tensors.result.sizes, after.reaches); refused.refusal != Refusal::none) return refused;
    PostOpTarget target{tensors.result.sizes, 1, callers.result};
    const bool biased = starts_with_bias(problem.after, after.reaches);
    if (biased) after.bias = bias_layout(target, 1);
    const auto describe = [&](const dnnl::post_ops& ops) {
      const Layout* bias = after.bias ? &*after.bias : nullptr;
      return blocked ? describe_convolution(problem.direction, tensors.source.any(), tensors.weights.any(), bias, tensors.result.any(), windows, ops)
                     : describe_convolution(problem.direction, callers.source, callers.weights, bias, callers.result, windows, ops);
    };
    // A tensor as large as the result is read in the layout that the kernel gives its result.
    if (blocked && std::ranges::find(after.reaches, Reach::entry) != after.reaches.end()) target.full = layouts_of(describe({}), problem.direction).result;
    after.attached = attach(problem.after, after.reaches, target, biased ? std::optional<std::size_t>(1) : std::nullopt);
    const Descriptor kernel = describe(after.attached.ops);
    const std::string what = fmt::format("this convolution{}{}", blocked ? "" : " in plain layouts", text_of(problem.after));
    if (is_reference(kernel)) return refuse_reference(kernel, what.c_str());
    if (applies_slowly(kernel, after)) {
      return refuse(Refusal::slow_reference,
                    fmt::format("{} has only {} for {}, which takes them element by element", library_name(), kernel.impl_info_str(), what));
    }

    const ConvolutionLayouts kernels = blocked ? layouts_of(kernel, problem.direction) : callers;
    Assembly assembly(kernel);
    for (std::size_t i = 0, t = 0; i < problem.after.size(); ++i) {
      if (!reads_tensor(problem.after[i].kind)) continue;
      const AttachedPostOps::Tensor& tensor = after.attached.tensors[t++];
      const bool in_blocks = problem.blocks.result > 1 && problem.after[i].strides == problem.result_strides;
      const Layout callers_own = !tensor.full ? tensor.layout
                                 : in_blocks  ? callers.result
                                              : Tensor{tensors.result.sizes, Dims(problem.after[i].strides.begin(), problem.after[i].strides.end())}.plain();
      if (tensor.full && tensor.layout != kernels.result) return refuse(Refusal::library_refused, "the library changes the result's layout");
      assembly.input(tensor.name, "post-operation's tensor", tensor.input, callers_own, tensor.layout);
    }
    switch (problem.direction) {
      case Direction::forward:
        assembly.input(DNNL_ARG_SRC, "source", 0, callers.source, kernels.source);
        assembly.input(DNNL_ARG_WEIGHTS, "weights", 1, callers.weights, kernels.weights);
        assembly.output(DNNL_ARG_DST, "result", callers.result, kernels.result);
        break;
      case Direction::backward_data:
        assembly.input(DNNL_ARG_DIFF_DST, "result", 0, callers.result, kernels.result);
        assembly.input(DNNL_ARG_WEIGHTS, "weights", 1, callers.weights, kernels.weights);
        assembly.output(DNNL_ARG_DIFF_SRC, "source", callers.source, kernels.source);
        break;
      case Direction::backward_weights:
        assembly.input(DNNL_ARG_SRC, "source", 0, callers.source, kernels.source);
        assembly.input(DNNL_ARG_DIFF_DST, "result", 1, callers.result, kernels.result);
        assembly.output(DNNL_ARG_DIFF_WEIGHTS, "weights", callers.weights, kernels.weights);
        break;
    }
    if (skips_padding(kernel, problem, windows)) return std::move(assembly).finish({});
    // Behind such kernels plain loops can put a bias, and nothing else.
    if (problem.direction == Direction::backward_data || after.attached.ops.len() > 0)
      return refuse(Refusal::library_refused, fmt::format("{} multiplies padding in {}", library_name(), kernel.impl_info_str()));
    return std::move(assembly).finish([problem](std::span<const void* const> inputs, std::span<void* const> outputs) {
      if (meets_padding_not_finite(problem, inputs)) convolve_directly(problem, inputs, outputs);
    });
  });
}

// Whether the library's blocked layouts, reorders included, are expected to beat the plain ones. They do by 1.4 to 14 times, measured on AVX-512 with 2.6.3 and
// 3.2 alike, but for three forms.
bool blocked_wins(const ConvolutionProblem& problem) {
  const auto all_one = [](const Shape& sizes) { return std::ranges::all_of(sizes, [](std::int64_t size) { return size == 1; }); };
  const bool depthwise = problem.groups == problem.in_channels && problem.groups == problem.out_channels;
  const std::int64_t in_group = problem.in_channels / problem.groups;
  // A pointwise convolution is a matrix product in plain layouts already; reorders only add to it.
  const bool pointwise = problem.groups == 1 && all_one(problem.kernel) && all_one(problem.stride);
  if (depthwise) return true;
  switch (problem.direction) {
    case Direction::forward: return !pointwise;
    // The blocked kernel computes 16 input channels where there are few: 7 times slower for one, 1.3 for six.
    case Direction::backward_data: return !pointwise && in_group >= 8;
    // Few positions and many weights: the reorder of the weights costs more than the products.
    case Direction::backward_weights: {
      const std::int64_t weights = problem.out_channels * in_group * problem.kernel.elements();
      return problem.batch * problem.output.elements() >= (weights > std::int64_t{1} << 19 ? 64 : 16);
    }
  }
  __builtin_unreachable();
}

}  // namespace

ConvolutionBlocks preferred_blocks(const ConvolutionProblem& given) {
  const ConvolutionProblem problem = without_unread_end(given);
  ConvolutionBlocks blocks;
  if (problem.groups > 1 || !blocked_wins(problem)) return blocks;
  static_cast<void>(make_held([&]() -> Made {
    const Tensors tensors = tensors_of(problem);
    const Descriptor kernel =
        describe_convolution(problem.direction, tensors.source.any(), tensors.weights.any(), nullptr, tensors.result.any(), windows_of(problem), {});
    if (!is_reference(kernel)) blocks = blocks_of(layouts_of(kernel, problem.direction), tensors.source.sizes, tensors.weights.sizes, tensors.result.sizes);
    return {};
  }));
  return blocks;
}

Made Primitive::make(const ConvolutionProblem& given) {
  const Shape counts{given.batch, given.groups, given.in_channels, given.out_channels};
  Made refused = refuse_common(given.dtype, {counts, given.input, given.kernel, given.output, given.stride, given.dilation});
  if (refused.refusal == Refusal::none) refused = refuse_form(given);
  if (refused.refusal == Refusal::none) refused = refuse_steps(given.after);
  if (refused.refusal != Refusal::none) return refused;
  const ConvolutionProblem problem = without_unread_end(given);
  if (problem.layout == ConvolutionLayout::plain) return make_in(false, problem);
  if (problem.layout == ConvolutionLayout::blocked) return make_in(true, problem);
  const bool blocked = problem.blocks != ConvolutionBlocks{} || blocked_wins(problem);
  Made preferred = make_in(blocked, problem);
  if (preferred) return preferred;
  if (!problem.after.empty()) {
    // Where the other layouts serve the post-operations alone, their reorders cost more than those save.
    ConvolutionProblem bare = problem;
    bare.after.clear();
    if (make_in(blocked, bare)) return preferred;
  }
  Made other = make_in(!blocked, problem);
  return other ? other : preferred;
}

}  // namespace cotan::onednn
