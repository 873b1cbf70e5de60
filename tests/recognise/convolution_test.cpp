// Convolutions: parameters, directions and readings, and sums that are nearly convolutions.
#include "tests/recognise/helpers.h"

namespace cotan::testing {
namespace {

// out[n, o, i] = sum over c, p of x[n, c, s*i + d*p - pad] * w[o, c, p]; indices n=0, o=1, i=2, c=3, p=4.
RawSum convolution(std::int64_t stride, std::int64_t dilation, std::int64_t padding, std::int64_t input, std::int64_t taps) {
  const std::int64_t positions = (input + 2 * padding - dilation * (taps - 1) - 1) / stride + 1;
  RawSum s;
  s.spec.domain = {2, 4, positions, 3, taps};
  s.spec.output = {i0, i1, i2};
  s.spec.factors = {{i0, i3, stride * i2 + dilation * i4 - padding}, {i1, i3, i4}};
  s.shapes = {{2, 4, positions}, {2, 3, input}, {4, 3, taps}};
  return s;
}

TEST(Convolution, ParametersAndRoles) {
  const RawSum s = convolution(2, 3, 1, 20, 3);
  ASSERT_EQ(s.recognised(), "convolution");
  const ConvolutionForm form = as_convolution(s.spec, s.shapes)[0];
  EXPECT_EQ(form, (ConvolutionForm{.output = ConvolutionOutput::result,
                                   .source = 1,
                                   .weights = 2,
                                   .result = 0,
                                   .windows = {{.dimension = 2, .position = 2, .tap = 4, .stride = 2, .dilation = 3, .padding = 1}},
                                   .batch = {0},
                                   .groups = {},
                                   .in_channels = {3},
                                   .out_channels = {1}}));
}

TEST(Convolution, BothReadingsTheSmallerKernelFirst) {
  const RawSum s = convolution(2, 3, 1, 20, 3);
  const auto forms = as_convolution(s.spec, s.shapes);
  ASSERT_EQ(forms.size(), 2u);
  // The other reading computes the weights: stride and dilation, batch and input channels have changed places.
  EXPECT_EQ(forms[1].output, ConvolutionOutput::weights);
  EXPECT_EQ(forms[1].weights, 0);
  EXPECT_EQ(forms[1].result, 2);
  EXPECT_EQ(forms[1].windows, (std::vector<ConvolutionWindow>{{.dimension = 2, .position = 4, .tap = 2, .stride = 3, .dilation = 2, .padding = 1}}));
  EXPECT_EQ(forms[1].batch, std::vector<int>{3});
  EXPECT_EQ(forms[1].in_channels, std::vector<int>{0});
}

TEST(Convolution, TheThreeDirections) {
  for (const auto& [padding, input] : {std::pair(0, 9), {1, 9}, {3, 9}, {0, 30}}) {
    SCOPED_TRACE(padding);
    const RawSum s = convolution(2, 1, padding, input, 3);
    RawSum data = s, weights = s;
    data.spec = adjoint(s.spec, 0);
    std::swap(data.shapes[0], data.shapes[1]);
    weights.spec = adjoint(s.spec, 1);
    std::swap(weights.shapes[0], weights.shapes[2]);
    EXPECT_EQ(s.recognised(), "convolution");
    EXPECT_EQ(data.recognised(), "backward-data convolution");
    EXPECT_EQ(weights.recognised(), "backward-weights convolution");
  }
}

TEST(Convolution, AKernelAsLargeAsItsStrideIsStillAConvolution) {
  // Cut into patches, two dimensions: every access is in range and radix, yet rows of patches lie on several strides.
  const Ref x = input("x", {2, 3, 8, 8}), w = input("w", {4, 3, 2, 2});
  const Ref y = graph::convolution2d(x, w, {.stride = 2});
  EXPECT_TRUE(as_matmul(y->as<SumSpec>(), tensor_shapes(*y.node())));
  EXPECT_EQ(class_of(y), "convolution");
  EXPECT_EQ(class_of(gradient(y, x)), "backward-data convolution");
  EXPECT_EQ(class_of(gradient(y, w)), "backward-weights convolution");
}

TEST(Convolution, ADimensionCutInTwoIsAProduct) {
  // x[8*m + k] * w[k, n]: rows of a matrix seen as a vector.
  RawSum s;
  s.spec.domain = {4, 6, 8};
  s.spec.output = {i0, i1};
  s.spec.factors = {{8 * i0 + i2}, {i2, i1}};
  s.shapes = {{4, 6}, {32}, {8, 6}};
  EXPECT_FALSE(as_convolution(s.spec, s.shapes).empty());
  EXPECT_EQ(s.recognised(), "matmul");
}

TEST(Convolution, PointwiseIsAProductUnlessItSkips) {
  const Ref x = input("x", {2, 3, 8, 8}), w = input("w", {4, 3, 1, 1});
  EXPECT_EQ(class_of(graph::convolution2d(x, w)), "matmul");
  const Ref skipping = graph::convolution2d(x, w, {.stride = 2});
  EXPECT_EQ(class_of(skipping), "convolution");
  EXPECT_EQ(class_of(gradient(skipping, x)), "backward-data convolution");
  EXPECT_EQ(class_of(gradient(skipping, w)), "backward-weights convolution");
  EXPECT_EQ(class_of(graph::convolution2d(x, w, {.padding = 1})), "convolution");
}

TEST(Convolution, GroupsAndDepthwise) {
  const Ref x = input("x", {2, 4, 6, 7});
  const auto form_of = [&](const Ref& w, std::int64_t groups) {
    const Ref y = graph::convolution2d(x, w, {.padding = 1, .groups = groups});
    return as_convolution(y->as<SumSpec>(), tensor_shapes(*y.node())).at(0);
  };
  const ConvolutionForm grouped = form_of(input("w", {6, 2, 3, 3}), 2);
  EXPECT_EQ(grouped.groups.size(), 1u);
  EXPECT_EQ(grouped.in_channels.size(), 1u);
  EXPECT_EQ(grouped.out_channels.size(), 1u);
  const ConvolutionForm depthwise = form_of(input("w", {4, 1, 3, 3}), 4);
  EXPECT_EQ(depthwise.groups.size(), 1u);
  EXPECT_TRUE(depthwise.in_channels.empty() && depthwise.out_channels.empty());
}

TEST(Convolution, OneAndThreeDimensions) {
  EXPECT_EQ(convolution(1, 1, 1, 12, 3).recognised(), "convolution");
  // x[d + p, h + q, w + r] * k[p, q, r] with padding.
  RawSum s;
  s.spec.domain = {5, 6, 7, 3, 3, 3};
  s.spec.output = {i0, i1, i2};
  s.spec.factors = {{i0 + i3 - 1, i1 + i4 - 1, i2 + i5 - 1}, {i3, i4, i5}};
  s.shapes = {{5, 6, 7}, {5, 6, 7}, {3, 3, 3}};
  EXPECT_EQ(s.recognised(), "convolution");
  EXPECT_EQ(as_convolution(s.spec, s.shapes)[0].windows.size(), 3u);
}

TEST(NearMiss, Convolutions) {
  {
    RawSum s = convolution(1, 1, 1, 9, 3);
    s.spec.guards = {{i2 - i4, 5}};
    EXPECT_EQ(s.recognised(), "generic") << "a guard";
  }
  {
    RawSum s = convolution(1, 1, 1, 9, 3);
    s.spec.factors[0][1] = i3 + 1;
    s.spec.factors[0][2] = i2;
    EXPECT_NE(s.recognised(), "matmul") << "a clipped dimension without a window";
  }
  {
    RawSum s = convolution(1, 1, 1, 9, 3);
    s.spec.factors[0] = {i0, i3 + i4, i2 + i4 - 1};
    s.shapes[1] = {2, 5, 9};
    EXPECT_EQ(s.recognised(), "generic") << "a tap used twice";
  }
  {
    RawSum s = convolution(1, 1, 1, 9, 3);
    s.spec.factors[0][2] = 9 - i2 - i4;
    EXPECT_EQ(s.recognised(), "generic") << "negative coefficients";
  }
  {
    RawSum s = convolution(1, 1, 1, 9, 3);
    s.spec.factors[0][2] = i2 - i4 + 1;
    EXPECT_EQ(s.recognised(), "generic") << "a kernel that runs backwards";
  }
  {
    RawSum s = convolution(1, 1, 1, 9, 3);
    s.spec.factors[1] = {i1, i3};
    s.shapes[2] = {4, 3};
    EXPECT_EQ(s.recognised(), "generic") << "a tap that the weights do not have";
  }
  {
    RawSum s = convolution(1, 1, 1, 9, 3);
    s.spec.factors[1][2] = i4 + 1;
    EXPECT_EQ(s.recognised(), "generic") << "weights that clip";
  }
  {
    RawSum s = convolution(1, 1, 1, 9, 3);
    s.spec.output[2] = i2 + 1;
    EXPECT_EQ(s.recognised(), "generic") << "a result that clips";
  }
  {
    RawSum s = convolution(1, 1, 1, 9, 3);
    s.spec.factors[0][2] = i2 + i4 + i3 - 1;
    s.spec.factors[0][1] = 0;
    EXPECT_EQ(s.recognised(), "generic") << "three terms in a window";
  }
  {
    // x[i+p, j+q, k+r, l+s]: one dimension more than there are primitives for.
    RawSum s;
    s.spec.domain = {5, 5, 5, 5, 2, 2, 2, 2};
    s.spec.output = {i0, i1, i2, i3};
    s.spec.factors = {{i0 + i4, i1 + i5, i2 + index_of(6), i3 + index_of(7)}, {i4, i5, index_of(6), index_of(7)}};
    s.shapes = {{5, 5, 5, 5}, {6, 6, 6, 6}, {2, 2, 2, 2}};
    EXPECT_EQ(s.recognised(), "generic") << "four dimensions";
  }
}

}  // namespace
}  // namespace cotan::testing
