// Operations on windows at values that random cases do not hold: infinities, equal entries, and options at their limits.
#include <gtest/gtest.h>

#include <limits>

#include "autograd/differentiate.h"
#include "graph/composites/composites.h"
#include "ops/error.h"
#include "tests/support/inputs.h"

namespace cotan::testing {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

TEST(Windows, AnInfinityStaysInItsPart) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {1, 7}, {1, inf, 3, 4, 5, 6, 7});
  EXPECT_EQ(inputs.run(graph::adaptive_avg_pool1d(x, {.output_size = 3})), (std::vector<double>{inf, 4, 6}));
  EXPECT_EQ(inputs.run(graph::avg_pool1d(x, {.kernel_size = 3, .padding = 1, .ceil_mode = true, .count_include_pad = false})),
            (std::vector<double>{inf, 4, 6.5}));
}

// Parts of 5 entries in 3: [0, 2), [1, 4), [3, 5).
TEST(Windows, TheFirstOfEqualsHasTheGradientOfAPart) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {1, 5}, {2, 2, 1, 2, 2}), g = inputs.add("g", f64, {1, 3}, {1, 10, 100});
  const Ref y = graph::adaptive_max_pool1d(x, {.output_size = 3});
  EXPECT_EQ(inputs.run(y), (std::vector<double>{2, 2, 2}));
  const Ref outputs[] = {y}, seeds[] = {g}, wrt[] = {x};
  EXPECT_EQ(inputs.run(vjp(outputs, seeds, wrt)[0]), (std::vector<double>{1, 10, 0, 100, 0}));
}

TEST(Windows, OptionsBeyondAnyTensorAreRefused) {
  const Ref x = graph::parameter("x", f32, {1, 2, 8, 8}), w = graph::parameter("w", f32, {2, 2, 2, 2});
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(static_cast<void>(graph::conv2d(x, w, {}, {.stride = huge})), Error);
  EXPECT_THROW(static_cast<void>(graph::conv2d(x, w, {}, {.padding = huge})), Error);
  EXPECT_THROW(static_cast<void>(graph::conv2d(x, w, {}, {.dilation = huge})), Error);
  EXPECT_THROW(static_cast<void>(graph::conv2d(x, w, {}, {.groups = huge})), Error);
  EXPECT_THROW(static_cast<void>(graph::conv2d(x, w, {}, {.padding = ""})), Error);
  EXPECT_THROW(static_cast<void>(graph::conv_transpose2d(x, w, {}, {.stride = huge, .output_padding = huge - 1})), Error);
  EXPECT_THROW(static_cast<void>(graph::max_pool2d(x, {.kernel_size = huge})), Error);
  EXPECT_THROW(static_cast<void>(graph::avg_pool2d(x, {.padding = huge})), Error);
  EXPECT_THROW(static_cast<void>(graph::adaptive_max_pool2d(x, {.output_size = huge})), Error);
  EXPECT_THROW(static_cast<void>(graph::unfold(x, {.kernel_size = 1 << 20, .padding = 1 << 20})), Error);
  EXPECT_THROW(static_cast<void>(graph::fold(graph::parameter("c", f32, {1, 4, 4}), {.output_size = huge})), Error);
  EXPECT_THROW(static_cast<void>(graph::interpolate(x, {.scale_factor = {huge, huge}})), Error);
}

}  // namespace
}  // namespace cotan::testing
