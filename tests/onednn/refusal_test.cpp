// What oneDNN is not used for is a value with a reason, never an exception.
#include "ops/error.h"
#include "tests/onednn/helpers.h"

namespace cotan::onednn::testing {
namespace {

MatmulProblem matmul() {
  MatmulProblem problem;
  problem.m = 8;
  problem.k = 6;
  problem.n = 4;
  problem.a_strides = {6, 1};
  problem.b_strides = {4, 1};
  problem.c_strides = {4, 1};
  return problem;
}

ConvolutionProblem convolution() {
  ConvolutionProblem problem;
  problem.batch = 2;
  problem.in_channels = 4;
  problem.out_channels = 8;
  problem.input = {6, 6};
  problem.kernel = {3, 3};
  problem.output = {4, 4};
  problem.stride = problem.dilation = {1, 1};
  problem.padding = {0, 0};
  problem.source_strides = dense_strides({2, 4, 6, 6});
  problem.weights_strides = dense_strides({1, 8, 4, 3, 3});
  problem.result_strides = dense_strides({2, 8, 4, 4});
  return problem;
}

SoftmaxProblem softmax() {
  SoftmaxProblem problem;
  problem.shape = {4, 10};
  problem.axis = 1;
  problem.x_strides = problem.y_strides = {10, 1};
  return problem;
}

TEST(Refusal, TheProblemsOfTheseTestsAreFineUnchanged) {
  EXPECT_TRUE(Primitive::make(matmul()));
  EXPECT_TRUE(Primitive::make(convolution()));
  EXPECT_TRUE(Primitive::make(softmax()));
}

TEST(Refusal, OnlyF32) {
  for (DType dtype : {f64, bf16, i32, i64, u8, u32, boolean}) {
    MatmulProblem m = matmul();
    m.dtype = dtype;
    expect_refused(Primitive::make(m), Refusal::dtype, std::string(name_of(dtype)));
    ConvolutionProblem c = convolution();
    c.dtype = dtype;
    expect_refused(Primitive::make(c), Refusal::dtype, std::string(name_of(dtype)));
    SoftmaxProblem s = softmax();
    s.dtype = dtype;
    expect_refused(Primitive::make(s), Refusal::dtype, std::string(name_of(dtype)));
  }
}

TEST(Refusal, EmptyTensors) {
  MatmulProblem m = matmul();
  m.k = 0;  // the library would leave the result as it was
  expect_refused(Primitive::make(m), Refusal::empty, "0");
  m = matmul();
  m.batch = {0};
  expect_refused(Primitive::make(m), Refusal::empty, "0");
  ConvolutionProblem c = convolution();
  c.batch = 0;
  expect_refused(Primitive::make(c), Refusal::empty, "0");
  c = convolution();
  c.output = {0, 4};
  expect_refused(Primitive::make(c), Refusal::empty, "0");
  SoftmaxProblem s = softmax();
  s.shape = {0, 10};
  expect_refused(Primitive::make(s), Refusal::empty, "0");
}

TEST(Refusal, MatmulStrides) {
  MatmulProblem m = matmul();
  m.a_strides = {-6, 1};
  expect_refused(Primitive::make(m), Refusal::layout, "negative stride (-6)");
  m = matmul();
  m.b_strides = {4, 0};
  expect_refused(Primitive::make(m), Refusal::layout, "b repeats");
  m = matmul();
  m.b_strides = {8, 2};
  expect_refused(Primitive::make(m), Refusal::layout, "neither rows nor columns contiguous (strides 8 and 2)");
  m = matmul();
  m.c_strides = {8, 2};
  expect_refused(Primitive::make(m), Refusal::layout, "c has neither");
  m = matmul();
  m.c_strides = {0, 1};
  expect_refused(Primitive::make(m), Refusal::layout, "c repeats");
  m = matmul();
  m.a_strides = {6};
  expect_refused(Primitive::make(m), Refusal::malformed, "a has 1 strides where 2 are due");
  m = matmul();
  m.batch = {3};
  m.a_strides = {48, 6, 1};
  m.b_strides = {24, 4, 1};
  m.c_strides = {0, 4, 1};
  expect_refused(Primitive::make(m), Refusal::layout, "batch");
}

TEST(Refusal, OverlappingRowsAreTheLibrarysToRefuse) {
  MatmulProblem m = matmul();
  m.a_strides = {1, 1};  // a sliding window
  const Made made = Primitive::make(m);
  EXPECT_FALSE(made) << made.primitive->implementation();
  EXPECT_NE(made.refusal, Refusal::none);
  EXPECT_FALSE(made.reason.empty());
}

TEST(Refusal, ConvolutionForms) {
  ConvolutionProblem c = convolution();
  c.source_strides[3] = -1;
  expect_refused(Primitive::make(c), Refusal::layout, "source has a negative stride");
  c = convolution();
  c.groups = 3;
  expect_refused(Primitive::make(c), Refusal::malformed, "4 channels in 3 groups");
  c = convolution();
  c.stride = {1};
  expect_refused(Primitive::make(c), Refusal::malformed, "1 entries for the stride where 2 are due");
  c = convolution();
  c.input = c.kernel = c.output = c.stride = c.dilation = {2, 2, 2, 2};
  expect_refused(Primitive::make(c), Refusal::malformed, "4 dimensions");
  c = convolution();
  c.batch = -2;
  expect_refused(Primitive::make(c), Refusal::malformed, "negative");
}

TEST(Refusal, WhatTheLibraryThrowsIsAReasonThatNamesIt) {
  ConvolutionProblem c = convolution();
  c.padding = {-1, 0};  // a window that skips the first row
  c.output = {3, 4};
  const Made made = Primitive::make(c);
  if (!made) expect_refused(made, Refusal::library_refused, "oneDNN ");
  SoftmaxProblem s = softmax();
  s.x_strides = {3, 1};  // rows overlap
  const Made overlapping = Primitive::make(s);
  EXPECT_FALSE(overlapping);
  EXPECT_NE(overlapping.reason.find("oneDNN "), std::string::npos) << overlapping.reason;
}

TEST(Refusal, SoftmaxForms) {
  SoftmaxProblem s = softmax();
  s.axis = 2;
  expect_refused(Primitive::make(s), Refusal::malformed, "axis 2 of a tensor of 2 dimensions");
  s = softmax();
  s.x_strides = {0, 1};
  expect_refused(Primitive::make(s), Refusal::layout, "x repeats");
  s = softmax();
  s.y_strides = {-10, 1};
  expect_refused(Primitive::make(s), Refusal::layout, "y has a negative stride");
  s = softmax();
  s.y_strides = {10};
  expect_refused(Primitive::make(s), Refusal::malformed, "y has 1 strides");
}

TEST(Refusal, EveryKindHasAName) {
  for (Refusal refusal : {Refusal::none, Refusal::dtype, Refusal::empty, Refusal::malformed, Refusal::layout, Refusal::slow_reference, Refusal::library_refused,
                          Refusal::thread_runtime}) {
    EXPECT_STRNE(name_of(refusal), "");
  }
}

TEST(Run, AWrongCallIsAnInternalError) {
  const Made made = Primitive::make(matmul());
  ASSERT_TRUE(made) << made.reason;
  Tensor a({8, 6}), b({6, 4}), c({8, 4});
  const std::array<const void*, 1> one{a.data()};
  Scratch scratch(made.primitive->scratch_bytes());
  EXPECT_THROW(made.primitive->run(one, std::array<void*, 1>{c.data()}, scratch.data()), InternalError);
  if (made.primitive->scratch_bytes() > 0) {
    const std::array<const void*, 2> two{a.data(), b.data()};
    EXPECT_THROW(made.primitive->run(two, std::array<void*, 1>{c.data()}, nullptr), InternalError);
  }
}

}  // namespace
}  // namespace cotan::onednn::testing
