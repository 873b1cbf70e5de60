// Every elementwise row and its gradients as a compiled program against the reference: at random points, and at every edge of floating point.
#include <gtest/gtest.h>

#include "autograd/differentiate.h"
#include "backends/reference/reference.h"
#include "tests/support/elementwise_checks.h"
#include "tests/support/inputs.h"
#include "tests/support/run_compiled.h"

namespace cotan::testing {
namespace {

class ElementwisePrograms : public ::testing::TestWithParam<std::size_t> {
 protected:
  const ElementwiseRow& row() const { return elementwise_rows()[GetParam()]; }

  // The row over these points and, with `gradients_too`, its derivatives there, compiled and by definition.
  void check(DType floating, const std::vector<Point>& points, bool gradients_too, double tolerance) {
    const std::vector<DType> types = signature_of(row(), floating).value();
    Inputs inputs;
    std::vector<Ref> operands;
    for (std::size_t k = 0; k < types.size(); ++k) {
      std::vector<double> column;
      for (const Point& p : points) column.push_back(p[k]);
      operands.push_back(inputs.add(std::string(row().operands[k]), types[k], {static_cast<std::int64_t>(points.size())}, std::move(column)));
    }
    Function f;
    f.parameters = inputs.parameters();
    f.results = {graph::elementwise(static_cast<ElementwiseId>(GetParam()), operands, standard_parameters(row()))};
    if (gradients_too && is_floating(f.results[0].dtype()))
      for (const Ref& g : gradients(f.results[0], inputs.floating(), graph::fill(1, f.results[0].dtype(), f.results[0].shape()))) f.results.push_back(g);
    const auto expected = reference::evaluate(f, inputs.arrays()), got = run_compiled(f, inputs.arrays());
    for (std::size_t r = 0; r < got.size(); ++r)
      for (std::size_t i = 0; i < points.size(); ++i)
        EXPECT_TRUE(close(got[r].values[i], expected[r].values[i], tolerance))
            << row().name << list_text(points[i]) << ", result " << r << " of " << name_of(floating) << ": " << got[r].values[i] << ", by definition "
            << expected[r].values[i];
  }
};

TEST_P(ElementwisePrograms, AgreeAtRandomPoints) {
  for (DType floating : {DType::f64, DType::f32}) {
    const std::vector<DType> types = signature_of(row(), floating).value();
    check(floating, sample_points(row(), types, 101), true, floating == DType::f64 ? 1e-13 : 5e-5);
  }
}

TEST_P(ElementwisePrograms, AgreeAtTheEdges) {
  for (DType floating : {DType::f64, DType::f32}) {
    const std::vector<DType> types = signature_of(row(), floating).value();
    check(floating, edge_points(types), true, floating == DType::f64 ? 1e-13 : 5e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ElementwisePrograms, ::testing::Range(std::size_t{0}, elementwise_rows().size()),
                         [](const auto& info) { return std::string(elementwise_rows()[info.param].name); });

}  // namespace
}  // namespace cotan::testing
