// Printers, on a profile made by hand: the numbers in them are those of the value.
#include "autograd/profile/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ops/error.h"

namespace cotan {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

ProfiledSide side(double time, const std::vector<std::string>& names) {
  ProfiledSide s;
  s.time_us = time;
  s.min_us = time - 1;
  s.kernels = static_cast<int>(names.size());
  s.evaluations = 1;
  s.bytes = 1500;
  s.flops = 2e6;
  s.peak_bytes = 4096;
  for (const std::string& name : names) {
    ProfiledKernel k;
    k.name = name;
    k.chunks = 1;
    k.time_us = k.work_us = 10;
    k.flops = 1e6;
    k.bytes = 750;
    k.gflops = 100;
    k.gbs = 0.075;
    k.bound = Bound::compute;
    k.of_roof = 0.5;
    k.nodes = {1};
    k.lines = {{"/home/me/model.cpp", 12}};
    s.timeline.push_back(
        {static_cast<int>(s.kernel_list.size()), 0, 10.0 * static_cast<double>(s.kernel_list.size()), 10.0 * static_cast<double>(s.kernel_list.size()) + 9});
    s.kernel_list.push_back(k);
  }
  s.graph.nodes = {{"x", "data", "f32[4]", "", {}, {}, -1, false},
                   {"%0", "map", "f32[4]", "%0: f32[4] = exp(x) </script>", {0}, {{"/home/me/model.cpp", 12}}, 0, true}};
  s.graph.groups = {{"fuse_kernels", true, {1}}};
  return s;
}

Profile made() {
  Profile p;
  p.name = "mine & </script>";
  p.machine = {"a processor", 2, 200, 20, 100, 1e6};
  p.repetitions = 5;
  p.fused = side(50, {"loops both"});
  p.unfused = side(120, {"loops exp", "loops sin"});
  p.ratio = 2.4;
  p.misses = {{"fuse_kernels", "several_readers", "of %3", {"/home/me/model.cpp", 14}}, {"fuse_kernels", "several_readers", "of %4", {}}};
  p.recorded = p.unfused.graph;
  return p;
}

TEST(Table, HasBothSidesTheKernelsAndTheMisses) {
  const std::string text = table(made());
  for (const char* expected : {"mine & </script>", "120 us", "50.0 us", "2.40x", "1.50 kB", "2.00 MFLOP", "4.10 kB", "loops both", "loops exp", "model.cpp:12",
                               "2 x fuse_kernels: several_readers; first: of %3 at model.cpp:14", "compute", "50%"})
    EXPECT_THAT(text, HasSubstr(expected));
  EXPECT_EQ(table(made(), {.kernels = 1}).find("loops sin"), std::string::npos) << "the longest alone";
}

TEST(Json, HasTheFieldsThatProgramsReadAtItsTop) {
  const json j = json::parse(cotan::json(made()));
  EXPECT_EQ(j.at("name"), "mine & </script>");
  EXPECT_EQ(j.at("machine").at("threads"), 2);
  for (const char* which : {"fused", "unfused"}) {
    const json& s = j.at(which);
    const bool fused = std::string(which) == "fused";
    EXPECT_EQ(s.at("time_us"), fused ? 50 : 120);
    EXPECT_EQ(s.at("kernels"), fused ? 1 : 2);
    EXPECT_EQ(s.at("bytes"), 1500);
    EXPECT_EQ(s.at("flops"), 2e6);
    EXPECT_EQ(s.at("peak_bytes"), 4096);
    EXPECT_EQ(s.at("kernel_list").size(), fused ? 1U : 2U);
    EXPECT_EQ(s.at("kernel_list")[0].at("lines")[0], "model.cpp:12");
    EXPECT_FALSE(s.contains("graph"));
  }
  ASSERT_EQ(j.at("misses").size(), 2U);
  EXPECT_EQ(j.at("misses")[0].at("reason"), "several_readers");
  EXPECT_EQ(j.at("misses")[0].at("line"), "model.cpp:14");
  EXPECT_EQ(json::parse(cotan::json(made(), true)).at("fused").at("graph").at("nodes").size(), 2U);
}

TEST(Trace, HasAnEventForEachChunk) {
  const json j = json::parse(trace(made()));
  std::size_t chunks = 0;
  for (const json& e : j.at("traceEvents")) {
    if (e.at("ph") != "X") continue;
    ++chunks;
    EXPECT_EQ(e.at("dur"), 9);
    EXPECT_TRUE(e.at("pid") == 1 || e.at("pid") == 2);
  }
  EXPECT_EQ(chunks, 3U);
}

TEST(Page, IsOnePieceWithTheDataInside) {
  const std::string html = page(made());
  EXPECT_THAT(html, ::testing::StartsWith("<!doctype html>"));
  EXPECT_EQ(html.find("src="), std::string::npos) << "nothing is loaded";
  EXPECT_EQ(html.find("href=\"http"), std::string::npos);
  EXPECT_EQ(html.find("exp(x) </script>"), std::string::npos) << "text of the program cannot end the script";
  EXPECT_THAT(html, HasSubstr("several_readers"));
}

TEST(Write, WritesTheFileOrSaysWhyNot) {
  const std::filesystem::path file = std::filesystem::path(::testing::TempDir()) / "cotan_profile.json";
  write_json(made(), file.string());
  std::ifstream in(file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), cotan::json(made()));
  std::filesystem::remove(file);
  try {
    write_page(made(), "/no/such/folder/page.html");
    FAIL() << "written";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("write_page: the file /no/such/folder/page.html cannot be written"));
  }
}

}  // namespace
}  // namespace cotan
