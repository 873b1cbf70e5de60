// Printing tensors.
#include <limits>
#include <sstream>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

std::string printed(const Tensor& t) {
  std::ostringstream out;
  out << t;
  return out.str();
}

TEST(Printing, ShowsTypeShapeAndValues) {
  EXPECT_EQ(printed(tensor({1, 2.5, -3})), "tensor(f32, (3,)) [1, 2.5, -3]");
  EXPECT_EQ(printed(reshape(tensor({1, 2, 3, 4, 5, 6}), {2, 3})), "tensor(f32, (2, 3)) [[1, 2, 3], [4, 5, 6]]");
  EXPECT_EQ(printed(sum(tensor({1, 2}))), "tensor(f32, ()) 3");
  EXPECT_EQ(printed(tensor({1, 2}, u8)), "tensor(u8, (2,)) [1, 2]");
  EXPECT_EQ(printed(tensor({1, -2}, i32)), "tensor(i32, (2,)) [1, -2]");
  EXPECT_EQ(printed(tensor({1, 2}) > 1), "tensor(bool, (2,)) [false, true]");
  EXPECT_EQ(printed(tensor({0.1}, f64)), "tensor(f64, (1,)) [0.1]");
}

TEST(Printing, ShowsWhatIsNotFinite) {
  constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(printed(tensor({infinity, -infinity, nan, -0.0})), "tensor(f32, (4,)) [inf, -inf, nan, -0]");
}

TEST(Printing, CutsLongDimensionsInTheMiddle) {
  EXPECT_EQ(printed(arange(8)), "tensor(i32, (8,)) [0, 1, 2, 3, 4, 5, 6, 7]");
  EXPECT_EQ(printed(arange(9)), "tensor(i32, (9,)) [0, 1, 2, ..., 6, 7, 8]");
  EXPECT_EQ(printed(reshape(arange(1000), {10, 100})).substr(0, 66), "tensor(i32, (10, 100)) [[0, 1, 2, ..., 97, 98, 99], [100, 101, 102");
}

TEST(Printing, ShowsEmptyTensors) {
  EXPECT_EQ(printed(zeros({0})), "tensor(f32, (0,)) []");
  EXPECT_EQ(printed(zeros({2, 0})), "tensor(f32, (2, 0)) [[], []]");
  EXPECT_EQ(printed(zeros({0, 2})), "tensor(f32, (0, 2)) []");
}

}  // namespace
}  // namespace cotan
