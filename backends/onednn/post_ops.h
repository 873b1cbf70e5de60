// Post-operations in the library's terms: which of them it takes as a bias, the layouts of the tensors that they read, and the arguments by which it finds
// them.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "backends/onednn/program.h"

namespace cotan::onednn {

// How much of the output one element of a post-operation's tensor serves.
enum class Reach : std::uint8_t {
  everything,  // one number
  channel,     // one number for each entry of the channel dimension, contiguous
  entry,       // a tensor as large as the output
};

// The reach of a tensor with these strides over an output of these sizes; none for one that repeats in any other way.
[[nodiscard]] std::optional<Reach> reach_of(const Shape& sizes, const Shape& strides, std::size_t channel);

// The output as post-operations see it.
struct PostOpTarget {
  dnnl::memory::dims sizes;
  std::size_t channel = 0;  // the dimension of a bias
  Layout full;              // of tensors as large as the output
};

// What describes and runs a primitive with post-operations.
struct AttachedPostOps {
  dnnl::post_ops ops;
  struct Tensor {
    int name;  // DNNL_ARG_...
    Layout layout;
    std::size_t input;  // of the primitive
    bool full;          // laid out like the output
  };
  std::vector<Tensor> tensors;
};

// `after` attached to a primitive whose own inputs are two. `reaches`: of each step; `bias`: the first step, which is then an addition of a channel's number,
// is left to the primitive's bias, an argument of rank `bias_rank`.
[[nodiscard]] AttachedPostOps attach(std::span<const PostOp> after, std::span<const Reach> reaches, const PostOpTarget& target,
                                     std::optional<std::size_t> bias_rank);

// The layout of a bias of that rank: as many numbers as there are channels.
[[nodiscard]] Layout bias_layout(const PostOpTarget& target, std::size_t rank);

// Whether the first step may be a bias.
[[nodiscard]] bool starts_with_bias(std::span<const PostOp> after, std::span<const Reach> reaches);

// The refusal of steps that the library would compute wrongly. (It gives all functions of one kind the parameters of the first of them: seen with 2.6.3.)
[[nodiscard]] Made refuse_steps(std::span<const PostOp> after);

// ", with 2 post-operations": for texts of refusals.
[[nodiscard]] std::string text_of(std::span<const PostOp> after);

}  // namespace cotan::onednn
