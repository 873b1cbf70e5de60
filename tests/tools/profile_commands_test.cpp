// `cotan opt`, `cotan profile` and `cotan check`, as their users meet them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/command.h"

namespace cotan::tools_tests {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* chain = R"(func chain(x: f32[16,8], y: f32[16,8], label: i32[16]) {
  %0: f32[16,8] = mul(x, y)
  %1: f32[16,8] = tanh(%0)
  %2: f32[16,8] = add(%1, x)
  %3: i32[16] = check(label) {below=8, what="index"}
  %4: f32[16][i] = %2[i,%3[i]]
  return out=%2, picked=%4
}
)";

class ProfileCommands : public ::testing::Test {
 protected:
  void SetUp() override { place.write("chain.cotan", chain); }
  Workplace place;
};

TEST_F(ProfileCommands, OptPrintsTheGraphAndWhatIsFused) {
  const Outcome o = place.cotan("opt chain.cotan");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, AllOf(StartsWith("func chain(x: f32[16,8]"), HasSubstr("\n# fuse_"), Not(HasSubstr("# pass "))));
  EXPECT_EQ(place.cotan("show -", o.out).status, 0) << "what it prints reads back";
  EXPECT_THAT(place.cotan("opt chain.cotan --passes -all").out, Not(HasSubstr("\n# fuse_")));
  const Outcome explained = place.cotan("opt chain.cotan --explain");
  EXPECT_THAT(explained.out, AllOf(HasSubstr("# pass inline_calls: "), HasSubstr("# pass fuse_kernels: "), HasSubstr("# kernel ")));
  const Outcome wrong = place.cotan("opt chain.cotan --passes -no_such_pass");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, AllOf(StartsWith("cotan: "), HasSubstr("no_such_pass"), HasSubstr("fuse_kernels")));
}

// One node of each kind, and what commands make of it: random numbers, whose values come with each run, too.
TEST_F(ProfileCommands, TakeEveryKindOfNode) {
  constexpr const char* every_kind = R"(func f(x: f32[4,3], scalar s: f32[], t: i32[4], var y: f32[4,3]) {
  %0: f32[4,3] = exp(x)
  %1: f32[4,3] = { 2 * x + 1 }
  %2: f32[4,3] = { 0.5 }
  %3: f32[3,4][i,j] = x[j,i]
  %4: f32[4,3][i,j] = 1; 0<=i-j<2
  %5: f32[4][i] = max x[i,p]
  %6: i32[4,1][i] = argmin x[i,p]
  %7: f32[4][i] = amax x[i,p]
  %8: f32[4,3] = scan(x, x) {axis=1, reverse=true}
  %9: i32[4,3] = order(x) {axis=0, descending=false}
  %10: f32[4,3] = call softmax(x) {dim=1}
  %11: bf16[4,3] = cast(x)
  %12: f32[4,3] = stop_gradient(x)
  %13: f32[4,3] = barrier(x, t)
  %14: i32[4] = check(t) {below=5, what="index"}
  %15: f32[4,3] = iota() {axis=0}
  %16: f32[4,3] = random() {key=1, counter=2}
  %17: f32[4,3] = random() {key=1, counter=2}
  %18: f32[4,3] = map(%16, %17, x) { %16 - %17 + x }
  %19: f32[4,3] = mul(x, y)
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %18, %19, s
}
)";
  place.write("kinds.cotan", every_kind);
  for (const char* command : {"show kinds.cotan", "show --dot kinds.cotan", "opt kinds.cotan", "opt --explain kinds.cotan",
                              "opt --explain kinds.cotan --passes -all", "check kinds.cotan",
                              "profile kinds.cotan --repetitions 3 --html p.html --json p.json --trace t.json"}) {
    const Outcome o = place.cotan(command);
    EXPECT_EQ(o.status, 0) << command << ": " << o.err;
  }
}

TEST_F(ProfileCommands, ProfileWritesWhatIsAskedFor) {
  const Outcome o = place.cotan("profile chain.cotan --repetitions 3 --html p.html --json p.json --trace t.json");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, AllOf(StartsWith("chain: 3 repetitions"), HasSubstr("unfused"), HasSubstr("peak memory")));
  const json j = json::parse(place.read("p.json"));
  EXPECT_EQ(j.at("name"), "chain");
  EXPECT_LT(j.at("fused").at("kernels"), j.at("unfused").at("kernels"));
  EXPECT_EQ(j.at("fused").at("kernels"), j.at("fused").at("kernel_list").size());
  EXPECT_FALSE(json::parse(place.read("t.json")).at("traceEvents").empty());
  EXPECT_THAT(place.read("p.html"), StartsWith("<!doctype html>"));
}

TEST_F(ProfileCommands, ProfileRefusesWhatItDoesNotKnow) {
  const Outcome nothing = place.cotan("profile");
  EXPECT_EQ(nothing.status, 2);
  EXPECT_THAT(nothing.err, HasSubstr("--example NAME"));
  const Outcome model = place.cotan("profile --example c2");
  EXPECT_EQ(model.status, 2);
  EXPECT_THAT(model.err, AllOf(HasSubstr("no model 'c2'"), HasSubstr("transformer")));
  EXPECT_EQ(place.cotan("profile chain.cotan --repetitions 1").status, 2);
  EXPECT_EQ(place.cotan("profile chain.cotan --repetitions 3 --json no/folder/p.json").status, 2);
}

TEST_F(ProfileCommands, CheckComparesOnRandomInputs) {
  const Outcome o = place.cotan("check chain.cotan --seed 3");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, AllOf(HasSubstr("out"), HasSubstr("picked"), HasSubstr("f32[16,8]"), HasSubstr("fused equals the reference")));
  EXPECT_EQ(place.cotan("check chain.cotan --seed 3").out, o.out) << "the same inputs for the same seed";
  const Outcome strict = place.cotan("check chain.cotan --relative 0 --absolute 0");
  EXPECT_EQ(strict.status, 1) << "no float32 result is exact: " << strict.out;
  EXPECT_THAT(strict.out, HasSubstr("first wrong with: kernels"));
}

}  // namespace
}  // namespace cotan::tools_tests
