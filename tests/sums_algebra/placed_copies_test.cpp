// Sums of placed copies: the pieces they are made of, and the memory they move.
#include "graph/sums/placed.h"
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

ProgramReport report_of(const Function& f, const std::string& switches) {
  CompileOptions options;
  options.passes = PassSwitches(switches);
  return compile_program(f, topological(f.results), options)->report();
}

double bytes_of(const ProgramReport& report) {
  double bytes = 0;
  for (const KernelReport& k : report.kernels) bytes += k.bytes;
  return bytes;
}

TEST(Placed, IsToldFromTheExpressions) {
  const Function f = parse_function(R"(func f(x: f32[3,4]) {
  %0: f32[4,7][i,j+2] = x[j,i]
  %1: f32[6,4][i,j] = x[i-2,j]
  %2: f32[3,9][i,j] = x[i,5-j]
  %3: f32[4,6][i+1,j+1] = x[i,j]
  %4: f32[4,3][i,j] = x[j,i]
  %5: f32[9,4][2*i,j] = x[i,j]
  %6: f32[5,3,4][2,i,j] = x[i,j]
  return %0, %1, %2, %3, %4, %5, %6
})");
  const auto place = [&](int r) -> std::string {
    const auto at = sums::placed_of(sums::opened(*f.results[static_cast<std::size_t>(r)].node()));
    return at ? fmt::format("{}: {}..{}", at->dimension, at->first, at->end) : "none";
  };
  EXPECT_EQ(place(0), "1: 2..5");
  EXPECT_EQ(place(1), "0: 2..5");
  EXPECT_EQ(place(2), "1: 2..6");
  EXPECT_EQ(place(3), "none");  // cut along two dimensions
  EXPECT_EQ(place(4), "none");  // a view of the whole
  EXPECT_EQ(place(5), "none");  // spread
  EXPECT_EQ(place(6), "0: 2..3");
}

// T slices of x, each used in its own way: the gradient puts T pieces together.
Function slices(int count, std::int64_t step, std::int64_t width) {
  const Ref x = graph::parameter("x", f32, {32, step * (count - 1) + width});
  Ref loss;
  for (int t = 0; t < count; ++t) {
    const Ref part = graph::slice(x, {.dim = 1, .start = step * t, .end = step * t + width});
    const Ref term =
        graph::sum(graph::square(graph::sin(graph::formula({part}, [&](std::span<const Ex> in) { return formula_language::operator*(in[0], Ex(t + 1)); }))));
    loss = loss ? graph::add(loss, term) : term;
  }
  const Ref wrt[] = {x};
  return {"slices", {x}, {gradients(loss, wrt)[0]}, {}};
}

TEST(PlacedCopies, OfDisjointSlicesWriteEachEntryOnce) {
  const Function f = slices(16, 8, 8);
  const ProgramReport report = report_of(f, "");
  const auto placing =
      std::find_if(report.kernels.begin(), report.kernels.end(), [](const KernelReport& k) { return k.name.find("places") != std::string::npos; });
  ASSERT_NE(placing, report.kernels.end());
  EXPECT_EQ(placing->name, "loops 16 terms in 16 places");
  EXPECT_EQ(placing->bytes, 2.0 * 4 * 32 * 128);  // every entry of the parts read once, every entry of the gradient written once
  for (const KernelReport& k : report.kernels) EXPECT_EQ(k.name.find("loops sum assign"), std::string::npos) << k.name;
  // The parts' own loops move a few times as much; each padded copy, as a kernel of its own, would have moved the whole gradient.
  EXPECT_LT(bytes_of(report) * 3, bytes_of(report_of(f, "-place_copies,-fuse_regions")));
  EXPECT_TRUE(none(compare_with_reference(f, rounded(random_inputs(f, 1)), 1e-4, 2)));
}

TEST(PlacedCopies, OfOverlappingSlicesAddWhatTheyShare) {
  const Function f = slices(5, 4, 10);
  const ProgramReport report = report_of(f, "");
  EXPECT_TRUE(std::any_of(report.kernels.begin(), report.kernels.end(), [](const KernelReport& k) { return k.name == "loops 5 terms in 9 places"; }));
  EXPECT_TRUE(none(compare_with_reference(f, rounded(random_inputs(f, 1)), 1e-4, 3)));
}

TEST(PlacedCopies, LeaveGapsAtZeroAndTakeWholeTensorsToo) {
  for (const char* text : {R"(func f(a: f32[3,4], b: f32[2,4], c: f32[9,4]) {
  %0: f32[9,4][i+1,j] = a[i,j]
  %1: f32[9,4][i+6,j] = 2 * b[i,j]
  %2: f32[9,4] = add(%0, %1)
  return %2
})",
                           R"(func f(a: f32[3,4], b: f32[4,2], c: f32[9,4]) {
  %0: f32[9,4][i+1,j] = a[2-i,j]; i<3
  %1: f32[9,4][i+2,j] = b[j,i]
  %2: f32[9,4] = add(%0, c)
  %3: f32[9,4] = add(%2, %1)
  %4: f32[9,4] = exp(%3)
  return %4
})",
                           R"(func f(a: f32[9,3], b: f32[2,4], c: f32[9,4]) {
  %0: f32[9,4][i,j+1] = a[i,j]
  %1: f32[9,4][i+6,j] = b[i,j]
  %2: f32[9,4] = map(%0, %1, c) { %0 + %1 + c }
  return %2
})",
                           R"(func f(a: i64[3,4], b: i64[2,4]) {
  %0: i64[9,4][i+1,j] = a[i,j]
  %1: i64[9,4][i+6,j] = b[i,j]
  %2: i64[9,4] = add(%0, %1)
  return %2
})"}) {
    const Function f = parse_function(text);
    const ProgramReport report = report_of(f, "");
    EXPECT_TRUE(std::any_of(report.kernels.begin(), report.kernels.end(), [](const KernelReport& k) { return k.name.find("places") != std::string::npos; }));
    EXPECT_TRUE(none(compare_with_reference(f, rounded(random_inputs(f, 1)), 1e-6, 1))) << text;
  }
}

}  // namespace
}  // namespace cotan::testing
