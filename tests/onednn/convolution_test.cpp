// Convolutions in three directions and both layouts against one plain loop in double, over strides, paddings, dilations, groups and dimensions.
#include <array>
#include <cmath>

#include "tests/onednn/helpers.h"

namespace cotan::onednn::testing {
namespace {

using Direction = ConvolutionDirection;
using Triple = std::array<std::int64_t, 3>;

constexpr std::array directions{Direction::forward, Direction::backward_data, Direction::backward_weights};
constexpr std::array layouts{ConvolutionLayout::automatic, ConvolutionLayout::plain, ConvolutionLayout::blocked};

const char* name_of(Direction direction) {
  switch (direction) {
    case Direction::forward: return "forward";
    case Direction::backward_data: return "backward data";
    case Direction::backward_weights: return "backward weights";
  }
  return "";
}

const char* name_of(ConvolutionLayout layout) {
  switch (layout) {
    case ConvolutionLayout::automatic: return "automatic";
    case ConvolutionLayout::plain: return "plain";
    case ConvolutionLayout::blocked: return "blocked";
  }
  return "";
}

// A spatial property as three entries, the missing outer ones filled.
Triple triple(const Shape& shape, std::int64_t missing) {
  Triple all{missing, missing, missing};
  for (std::size_t i = 0; i < shape.rank(); ++i) all[3 - shape.rank() + i] = shape[i];
  return all;
}

Shape joined(std::initializer_list<std::int64_t> first, const Shape& rest) {
  Shape all(first);
  for (std::int64_t size : rest) all.push_back(size);
  return all;
}

Shape source_shape(const ConvolutionProblem& p) { return joined({p.batch, p.in_channels}, p.input); }
Shape result_shape(const ConvolutionProblem& p) { return joined({p.batch, p.out_channels}, p.output); }
Shape weights_shape(const ConvolutionProblem& p) { return joined({p.groups, p.out_channels / p.groups, p.in_channels / p.groups}, p.kernel); }

// A convolution with dense tensors; `same` is given one entry for each spatial dimension.
ConvolutionProblem dense(std::int64_t batch, std::int64_t groups, std::int64_t in, std::int64_t out, const Shape& input, const Shape& kernel,
                         const Shape& output, const Shape& stride, const Shape& dilation, const Shape& padding) {
  ConvolutionProblem p;
  p.batch = batch;
  p.groups = groups;
  p.in_channels = in;
  p.out_channels = out;
  p.input = input;
  p.kernel = kernel;
  p.output = output;
  p.stride = stride;
  p.dilation = dilation;
  p.padding = padding;
  p.source_strides = dense_strides(source_shape(p));
  p.weights_strides = dense_strides(weights_shape(p));
  p.result_strides = dense_strides(result_shape(p));
  return p;
}

// All three directions are one loop nest over the products; which tensor is summed into is the direction.
void check(const ConvolutionProblem& p) {
  SCOPED_TRACE(::testing::Message() << name_of(p.direction) << ", " << name_of(p.layout) << ", batch " << p.batch << ", groups " << p.groups << ", channels "
                                    << p.in_channels << " to " << p.out_channels << ", input " << p.input.text() << ", kernel " << p.kernel.text()
                                    << ", output " << p.output.text());
  const Made made = Primitive::make(p);
  ASSERT_TRUE(made) << made.reason;
  Tensor source(source_shape(p), p.source_strides), weights(weights_shape(p), p.weights_strides), result(result_shape(p), p.result_strides);
  source.fill(1);
  weights.fill(2);
  result.fill(3);
  Tensor& out = p.direction == Direction::forward ? result : p.direction == Direction::backward_data ? source : weights;
  std::vector<double> sums(out.extent(), 0.0), magnitudes(out.extent(), 0.0);

  const std::size_t rank = p.input.rank();
  const auto spatial = [&](const Shape& strides) {
    Shape last;
    for (std::size_t i = strides.rank() - rank; i < strides.rank(); ++i) last.push_back(strides[i]);
    return triple(last, 0);
  };
  const Triple input = triple(p.input, 1), kernel = triple(p.kernel, 1), output = triple(p.output, 1), stride = triple(p.stride, 1),
               dilation = triple(p.dilation, 1), padding = triple(p.padding, 0);
  const Triple s_strides = spatial(p.source_strides), w_strides = spatial(p.weights_strides), r_strides = spatial(p.result_strides);
  const std::int64_t in_group = p.in_channels / p.groups, out_group = p.out_channels / p.groups;
  // One spatial dimension at a time narrows the three offsets; position 3 is the product.
  const std::function<void(std::size_t, std::int64_t, std::int64_t, std::int64_t)> products = [&](std::size_t i, std::int64_t s, std::int64_t w,
                                                                                                  std::int64_t r) {
    if (i == 3) {
      const std::int64_t at = p.direction == Direction::forward ? r : p.direction == Direction::backward_data ? s : w;
      const double product = p.direction == Direction::forward         ? static_cast<double>(source[s]) * weights[w]
                             : p.direction == Direction::backward_data ? static_cast<double>(result[r]) * weights[w]
                                                                       : static_cast<double>(source[s]) * result[r];
      sums[static_cast<std::size_t>(at)] += product;
      magnitudes[static_cast<std::size_t>(at)] += std::fabs(product);
      return;
    }
    for (std::int64_t o = 0; o < output[i]; ++o) {
      for (std::int64_t k = 0; k < kernel[i]; ++k) {
        const std::int64_t x = stride[i] * o + dilation[i] * k - padding[i];
        if (x >= 0 && x < input[i]) products(i + 1, s + x * s_strides[i], w + k * w_strides[i], r + o * r_strides[i]);
      }
    }
  };
  for (std::int64_t n = 0; n < p.batch; ++n) {
    for (std::int64_t g = 0; g < p.groups; ++g) {
      for (std::int64_t oc = 0; oc < out_group; ++oc) {
        for (std::int64_t ic = 0; ic < in_group; ++ic) {
          products(0, n * p.source_strides[0] + (g * in_group + ic) * p.source_strides[1],
                   g * p.weights_strides[0] + oc * p.weights_strides[1] + ic * p.weights_strides[2],
                   n * p.result_strides[0] + (g * out_group + oc) * p.result_strides[1]);
        }
      }
    }
  }

  if (p.direction == Direction::forward) run(*made.primitive, {&source, &weights}, result);
  if (p.direction == Direction::backward_data) run(*made.primitive, {&result, &weights}, source);
  if (p.direction == Direction::backward_weights) run(*made.primitive, {&source, &result}, weights);
  out.expect_canaries();
  each_offset(out.shape(), out.strides(), [&](std::int64_t offset) {
    const auto at = static_cast<std::size_t>(offset);
    ASSERT_NEAR(out[offset], sums[at], 4e-6 * magnitudes[at] + 1e-7) << made.primitive->implementation() << ", offset " << offset;
  });
}

void check_all(ConvolutionProblem problem) {
  for (Direction direction : directions) {
    for (ConvolutionLayout layout : layouts) {
      problem.direction = direction;
      problem.layout = layout;
      check(problem);
    }
  }
}

// For tensors that only the reference implementation may read as they are.
void check_without_plain(ConvolutionProblem problem) {
  for (Direction direction : directions) {
    problem.direction = direction;
    problem.layout = ConvolutionLayout::plain;
    expect_refused(Primitive::make(problem), Refusal::slow_reference, "plain layouts");
    for (ConvolutionLayout layout : {ConvolutionLayout::automatic, ConvolutionLayout::blocked}) {
      problem.layout = layout;
      check(problem);
    }
  }
}

TEST(Convolution, Plain2d) {
  check_all(dense(2, 1, 3, 4, {7, 9}, {3, 3}, {5, 7}, {1, 1}, {1, 1}, {0, 0}));
  check_all(dense(1, 1, 1, 1, {5, 5}, {2, 3}, {4, 3}, {1, 1}, {1, 1}, {0, 0}));
  check_all(dense(3, 1, 16, 32, {6, 6}, {3, 3}, {6, 6}, {1, 1}, {1, 1}, {1, 1}));
  check_all(dense(2, 1, 1, 32, {28, 28}, {5, 5}, {28, 28}, {1, 1}, {1, 1}, {2, 2}));
  check_all(dense(2, 1, 20, 10, {4, 4}, {4, 4}, {1, 1}, {1, 1}, {1, 1}, {0, 0}));
}

TEST(Convolution, Pointwise) {
  check_all(dense(2, 1, 18, 12, {5, 3}, {1, 1}, {5, 3}, {1, 1}, {1, 1}, {0, 0}));
  check_all(dense(2, 1, 16, 16, {6, 6}, {1, 1}, {3, 3}, {2, 2}, {1, 1}, {0, 0}));
}

TEST(Convolution, StridePaddingDilation) {
  check_all(dense(2, 1, 4, 8, {9, 11}, {3, 3}, {5, 6}, {2, 2}, {1, 1}, {1, 1}));
  check_all(dense(2, 1, 4, 8, {12, 10}, {3, 2}, {8, 10}, {1, 1}, {2, 3}, {0, 1}));
  check_all(dense(1, 1, 8, 16, {13, 13}, {3, 3}, {5, 4}, {2, 3}, {2, 1}, {1, 0}));
}

TEST(Convolution, PaddingOfUnequalSides) {
  // Nothing before, two after.
  check_all(dense(2, 1, 4, 8, {6, 6}, {3, 3}, {6, 6}, {1, 1}, {1, 1}, {0, 0}));
}

TEST(Convolution, WindowsThatDoNotReachTheEndHaveNegativePaddingThere) {
  const ConvolutionProblem rest = dense(2, 1, 4, 8, {10, 8}, {3, 3}, {4, 3}, {2, 2}, {1, 1}, {0, 0});
  EXPECT_EQ(rest.padding_after(0), -1);
  EXPECT_EQ(rest.padding_after(1), -1);
  check_all(rest);
  // More than a rest of the stride: the source is cut, its cotangent cannot be.
  ConvolutionProblem cut = dense(2, 1, 4, 8, {10, 9}, {3, 3}, {4, 3}, {1, 2}, {1, 1}, {0, 0});
  EXPECT_EQ(cut.padding_after(0), -4);
  EXPECT_EQ(cut.padding_after(1), -2);
  check(cut);
  cut.direction = Direction::backward_weights;
  check(cut);
  cut.direction = Direction::backward_data;
  expect_refused(Primitive::make(cut), Refusal::library_refused, "oneDNN ");
}

TEST(Convolution, Groups) {
  check_all(dense(2, 2, 6, 4, {6, 7}, {3, 3}, {6, 7}, {1, 1}, {1, 1}, {1, 1}));
  check_all(dense(2, 4, 32, 32, {5, 5}, {3, 3}, {5, 5}, {1, 1}, {1, 1}, {1, 1}));
  check_all(dense(2, 6, 6, 6, {8, 8}, {3, 3}, {4, 4}, {2, 2}, {1, 1}, {1, 1}));     // depthwise
  check_all(dense(1, 3, 3, 6, {7, 7}, {3, 3}, {5, 5}, {1, 1}, {1, 1}, {0, 0}));     // depthwise with a multiplier
  check_all(dense(2, 16, 16, 16, {6, 6}, {3, 3}, {6, 6}, {1, 1}, {1, 1}, {1, 1}));  // depthwise, a full vector of channels
}

TEST(Convolution, OneAndThreeDimensions) {
  check_all(dense(2, 1, 3, 8, {17}, {5}, {8}, {2}, {1}, {1}));
  check_all(dense(3, 2, 4, 6, {12}, {3}, {10}, {1}, {2}, {1}));
  check_all(dense(2, 1, 2, 4, {5, 6, 4}, {3, 2, 3}, {3, 5, 4}, {2, 1, 1}, {1, 1, 1}, {1, 0, 1}));
  check_all(dense(1, 1, 16, 16, {4, 4, 4}, {3, 3, 3}, {4, 4, 4}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}));
}

TEST(Convolution, ChannelsLastTensors) {
  ConvolutionProblem problem = dense(2, 1, 5, 8, {6, 7}, {3, 3}, {6, 7}, {1, 1}, {1, 1}, {1, 1});
  problem.source_strides = {6 * 7 * 5, 1, 7 * 5, 5};
  check_without_plain(problem);
  problem.result_strides = {6 * 7 * 8, 1, 7 * 8, 8};
  check_without_plain(problem);
}

TEST(Convolution, TensorsWithGapsAreReordered) {
  ConvolutionProblem problem = dense(2, 1, 4, 16, {6, 7}, {3, 3}, {4, 5}, {1, 1}, {1, 1}, {0, 0});
  problem.source_strides = {4 * 6 * 9 + 3, 6 * 9, 9, 1};
  problem.result_strides = {16 * 4 * 8, 4 * 8, 8, 1};
  problem.weights_strides = {0, 4 * 9 + 2, 9, 3, 1};
  for (Direction direction : directions) {
    problem.direction = direction;
    check(problem);
  }
}

TEST(Convolution, TransposedConvolutionSharesTheWeightsOfItsForward) {
  // Weights [in, out / groups, kernel] read as those of the convolution whose backward this is.
  ConvolutionProblem problem = dense(2, 2, 8, 12, {9, 9}, {3, 3}, {5, 5}, {2, 2}, {1, 1}, {1, 1});
  problem.direction = Direction::backward_data;
  check(problem);
}

TEST(Convolution, TheImplementationNamesTheReorders) {
  ConvolutionProblem problem = dense(8, 1, 32, 32, {14, 14}, {3, 3}, {14, 14}, {1, 1}, {1, 1}, {1, 1});
  problem.layout = ConvolutionLayout::plain;
  const Made plain = Primitive::make(problem);
  ASSERT_TRUE(plain) << plain.reason;
  EXPECT_EQ(plain.primitive->implementation().find("reorders"), std::string::npos) << plain.primitive->implementation();
  problem.layout = ConvolutionLayout::automatic;
  const Made made = Primitive::make(problem);
  ASSERT_TRUE(made) << made.reason;
  // Which tensors are copied is the library's choice, and follows the processor.
  const ConvolutionBlocks blocks = preferred_blocks(problem);
  const std::string& name = made.primitive->implementation();
  const std::size_t at = name.find("reorders: ");
  const auto reorders = [&](const char* tensor) { return at != std::string::npos && name.find(tensor, at) != std::string::npos; };
  EXPECT_EQ(reorders("source"), blocks.source > 1) << name;
  EXPECT_EQ(reorders("weights"), blocks.out > 1) << name;
  EXPECT_EQ(reorders("result"), blocks.result > 1) << name;
  if (reorders("source") && reorders("weights") && reorders("result")) {
    EXPECT_GE(made.primitive->scratch_bytes(), sizeof(float) * (2 * 8 * 32 * 14 * 14 + 32 * 32 * 9)) << "the reorders' buffers are part of the scratch";
  }
}

}  // namespace
}  // namespace cotan::onednn::testing
