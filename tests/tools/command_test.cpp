// `cotan show`, `cotan grad`, `cotan run` and `cotan --version`, as their users meet them.
#include "tests/tools/command.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tools/npy.h"

namespace cotan::tools_tests {
namespace {

using reference::Array;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using tools::npy_of;
using tools::read_npy;
using tools::values_of;
using tools::write_npy;

constexpr const char* model = R"(func model(x: f32[2,3], w: f32[3], scalar scale: f32[]) {
  %0: f32[2][i] = x[i,k] * w[k]
  %1: f32[2] = tanh(%0)
  %2: f32[][] = scale[] * %1[i]
  return loss=%2, %1
}
)";

// A refusal: status 2, one line on standard error that holds `message`, nothing on standard output.
void expect_refusal(const Outcome& o, const std::string& message) {
  EXPECT_EQ(o.status, 2) << o.err;
  EXPECT_EQ(o.out, "");
  EXPECT_THAT(o.err, AllOf(StartsWith("cotan: "), HasSubstr(message)));
  EXPECT_EQ(o.err.find('\n'), o.err.size() - 1) << "more than one line: " << o.err;
}

class Tool : public ::testing::Test {
 protected:
  void SetUp() override {
    place.write("model.cotan", model);
    write_npy(place.path() / "x.npy", npy_of({f32, {2, 3}, {1, 2, 3, -1, 0.5, 0.25}}));
    write_npy(place.path() / "w.npy", npy_of({f32, {3}, {0.1f, -0.2f, 0.3f}}));
  }
  Array result(const std::string& name) const { return values_of(read_npy(place.path() / name)); }
  Workplace place;
};

TEST_F(Tool, ShowsAFunctionInItsOwnText) {
  const Outcome o = place.cotan("show model.cotan");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, AllOf(StartsWith("func model(x: f32[2,3], w: f32[3], scale: f32[]) {\n"), HasSubstr("return loss=%2, %1")));
  EXPECT_EQ(place.cotan("show -", o.out).out, o.out) << "what it prints it reads";
  EXPECT_THAT(place.cotan("show --dot model.cotan").out, AllOf(StartsWith("digraph \"model\" {"), HasSubstr("tanh")));
}

TEST_F(Tool, SaysInOneLineWhatIsWrong) {
  place.write("bad.cotan", "func f(x: f32[3]) {\n  %0: f32[3] = tanhh(x)\n  return %0\n}");
  expect_refusal(place.cotan("show bad.cotan"), "bad.cotan:2:16: no operation tanhh. Did you mean tanh?");
  expect_refusal(place.cotan("show missing.cotan"), "missing.cotan: No such file or directory");
  expect_refusal(place.cotan("show ."), ".: Is a directory");
  expect_refusal(place.cotan("show -", "\x01\xff"), "standard input:1:1:");
  expect_refusal(place.cotan("show"), "FILE is required");
  expect_refusal(place.cotan("show a b"), "See cotan --help");
  expect_refusal(place.cotan("paint model.cotan"), "See cotan --help");
  expect_refusal(place.cotan(""), "no command");
  EXPECT_EQ(place.cotan("--help").status, 0);
  EXPECT_THAT(place.cotan("grad --help").out, HasSubstr("--wrt"));
}

TEST_F(Tool, GradAddsGradientsAsResults) {
  const Outcome o = place.cotan("grad model.cotan --wrt w,scale");
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("return loss=%2, %1, d_w=%"));
  place.write("grad.cotan", o.out);
  const Outcome ran = place.cotan("run grad.cotan --backend reference --dtype f64 --in x=x.npy --in w=w.npy --in scale=2 --out out");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const double x[2][3] = {{1, 2, 3}, {-1, 0.5, 0.25}}, w[3] = {0.1f, -0.2f, 0.3f};
  double loss = 0, d_w[3] = {0, 0, 0};
  for (const auto& row : x) {
    const double y = std::tanh(row[0] * w[0] + row[1] * w[1] + row[2] * w[2]);
    loss += y;
    for (int k = 0; k < 3; ++k) d_w[k] += 2 * (1 - y * y) * row[k];
  }
  EXPECT_NEAR(result("out/loss.npy").values[0], 2 * loss, 1e-12);
  EXPECT_NEAR(result("out/d_scale.npy").values[0], loss, 1e-12);
  for (int k = 0; k < 3; ++k) EXPECT_NEAR(result("out/d_w.npy").values[static_cast<std::size_t>(k)], d_w[k], 1e-12);
  EXPECT_EQ(result("out/r1.npy").shape, (Shape{2}));
  EXPECT_EQ(result("out/r1.npy").dtype, f64);
}

TEST_F(Tool, GradRefusesWhatHasNoGradient) {
  expect_refusal(place.cotan("grad model.cotan --wrt v"), "--wrt v: the function has no parameter of this name. It has x, w, scale");
  expect_refusal(place.cotan("grad model.cotan --wrt w --of nothing"), "--of nothing: the function has no result of this name");
  expect_refusal(place.cotan("grad model.cotan --wrt w,w"), "named twice");
  expect_refusal(place.cotan("grad model.cotan"), "--wrt is required");
  place.write("vector.cotan", "func f(x: f32[3], t: i32[]) { %0: f32[3] = exp(x) %1: f32[][] = %0[i] return y=%0, t=t, s=%1 }");
  expect_refusal(place.cotan("grad vector.cotan --wrt x"), "the result to differentiate is f32 of shape (3,)");
  expect_refusal(place.cotan("grad vector.cotan --wrt x --of t"), "the result to differentiate is i32");
  expect_refusal(place.cotan("grad vector.cotan --wrt t --of s"), "--wrt t: the parameter is i32");
}

TEST_F(Tool, RunComputesTheSameOnBothBackends) {
  for (const char* backend : {"reference", "default"}) {
    const Outcome o = place.cotan(fmt::format("run model.cotan --in x=x.npy --in w=w.npy --in scale=2 --out {0} --backend {0}", backend));
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(o.out + o.err, "");
  }
  const Array expected = result("reference/r1.npy"), computed = result("default/r1.npy");
  EXPECT_EQ(expected.dtype, f32);
  ASSERT_EQ(computed.shape, expected.shape);
  for (std::size_t i = 0; i < expected.values.size(); ++i) EXPECT_NEAR(computed.values[i], expected.values[i], 1e-6);
  EXPECT_NEAR(result("default/loss.npy").values[0], result("reference/loss.npy").values[0], 1e-6);
}

TEST_F(Tool, RunDrawsTheSameNumbersOnBothBackends) {
  place.write("random.cotan", "func f() { %0: f32[64] = random() {key=7, counter=3} return u=%0 }");
  for (const char* backend : {"reference", "default"}) ASSERT_EQ(place.cotan(fmt::format("run random.cotan --out {0} --backend {0}", backend)).status, 0);
  EXPECT_EQ(result("default/u.npy"), result("reference/u.npy"));
}

TEST_F(Tool, RunReportsAnEntryOutOfRange) {
  place.write("pick.cotan", "func f(x: f32[3], t: i32[2]) { %0: i32[2] = check(t) {below=3, what=\"target\"} %1: f32[2][i] = x[%0[i]] return y=%1 }");
  write_npy(place.path() / "v.npy", npy_of({f32, {3}, {1, 2, 3}}));
  write_npy(place.path() / "t.npy", npy_of({i32, {2}, {1, 3}}));
  for (const char* backend : {"reference", "default"}) {
    expect_refusal(place.cotan(fmt::format("run pick.cotan --in x=v.npy --in t=t.npy --out out --backend {}", backend)), "target");
    EXPECT_FALSE(std::filesystem::exists(place.path() / "out")) << "nothing is written";
  }
}

TEST_F(Tool, RunChecksItsInputs) {
  const std::string rest = " --in scale=1 --out out --backend reference";
  write_npy(place.path() / "wide.npy", npy_of({f64, {3}, {1, 2, 3}}));
  write_npy(place.path() / "long.npy", npy_of({f32, {4}, {1, 2, 3, 4}}));
  expect_refusal(place.cotan("run model.cotan --in x=x.npy" + rest), "the parameter w: f32[3] has no value. Add --in w=FILE.npy");
  expect_refusal(place.cotan("run model.cotan --in x=x.npy --in w=wide.npy" + rest), "--in w: wide.npy holds f64[3], the parameter is f32[3]");
  expect_refusal(place.cotan("run model.cotan --in x=x.npy --in w=long.npy" + rest), "long.npy holds f32[4], the parameter is f32[3]");
  expect_refusal(place.cotan("run model.cotan --in x=x.npy --in w=w.npy --in v=w.npy" + rest), "--in v: the function has no parameter of this name");
  expect_refusal(place.cotan("run model.cotan --in x=x.npy --in x=x.npy" + rest), "--in x: given twice");
  expect_refusal(place.cotan("run model.cotan --in x" + rest), "--in x: no file is named");
  expect_refusal(place.cotan("run model.cotan --in x=none.npy --in w=w.npy" + rest), "none.npy: No such file or directory");
  expect_refusal(place.cotan("run model.cotan --in x=model.cotan --in w=w.npy" + rest), "model.cotan: it is no .npy file");
  expect_refusal(place.cotan("run model.cotan --in x=x.npy --in w=w.npy --in scale=1 --out model.cotan/out"), "the folder cannot be made");
  expect_refusal(place.cotan("run model.cotan --in x=x.npy --in w=w.npy --in scale=1 --out out --dtype f64"), "--dtype f64 without --backend reference");
  expect_refusal(place.cotan("run model.cotan --out out --backend magic"), "magic");
  place.write("names.cotan", "func f(x: f32[]) { return \"../x\"=x }");
  expect_refusal(place.cotan("run names.cotan --in x=1 --out out"), "cannot name a file");
  place.write("names.cotan", "func f(x: f32[]) { return r1=x, x }");
  expect_refusal(place.cotan("run names.cotan --in x=1 --out out"), "two results are named r1");
  EXPECT_EQ(place.cotan("run model.cotan --in x=x.npy --in w=wide.npy --dtype f64" + rest).status, 0) << "float64 files serve where float64 is computed";
}

TEST_F(Tool, RunKeepsWholeNumbersThatNoDoubleHolds) {
  place.write("next.cotan", "func f(x: i64[], y: i64[]) { %0: i64[] = add(x, y) return y=%0 }");
  const std::string line = "run next.cotan --in x=9007199254740992 --in y=9223372036854775807 --out out";
  ASSERT_EQ(place.cotan(line).status, 0);
  std::int64_t sum = 0;
  std::memcpy(&sum, read_npy(place.path() / "out/y.npy").bytes.data(), sizeof sum);
  EXPECT_EQ(sum, std::numeric_limits<std::int64_t>::min() + 9007199254740991) << "wraps";
  expect_refusal(place.cotan(line + " --backend reference"), "the reference holds i64 up to 2^53");
  expect_refusal(place.cotan("run next.cotan --in x=9223372036854775808 --in y=1 --out out"), "does not fit i64");
  expect_refusal(place.cotan("run next.cotan --in x=0.5 --in y=1 --out out"), "does not fit i64");
}

TEST_F(Tool, RunTakesAndGivesBf16AsFloat32) {
  place.write("half.cotan", "func f(x: bf16[3]) { %0: f32[3] = cast(x) %1: f32[3] = mul(%0, %0) %2: bf16[3] = cast(%1) return y=%2 }");
  write_npy(place.path() / "x.npy", npy_of({f32, {3}, {1.0078125, -3, 0.5}}));
  for (const char* backend : {"reference", "default"}) {
    const Outcome o = place.cotan(fmt::format("run half.cotan --in x=x.npy --out {0} --backend {0}", backend));
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(result(fmt::format("{}/y.npy", backend)), (Array{f32, {3}, {1.015625, 9, 0.25}}));
  }
  write_npy(place.path() / "x.npy", npy_of({f32, {3}, {1, 2, 1.001}}));
  expect_refusal(place.cotan("run half.cotan --in x=x.npy --out out"), "1.001 at position 2 is no bf16");
}

TEST_F(Tool, VersionNamesWhatItIsMadeOf) {
  const Outcome o = place.cotan("--version");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, StartsWith("cotan " COTAN_VERSION "\n"));
  for (const char* line : {"\noneDNN ", "\nTBB ", "\nHighway ", "\ncompiler ", "\nprocessor ", "\nmachine ", "\nthreads "}) EXPECT_THAT(o.out, HasSubstr(line));
  expect_refusal(place.cotan("show --version"), "See cotan --help");
}

}  // namespace
}  // namespace cotan::tools_tests
