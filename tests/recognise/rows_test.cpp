// Every case of the rows, and their gradients of first and second order, by class.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "ops/sum_rows.h"
#include "tests/recognise/helpers.h"

namespace cotan::testing {
namespace {

std::vector<Ref> operands_of(const RowCase<SumDef>& c) {
  std::vector<Ref> operands;
  for (std::size_t k = 0; k < c.operands.size(); ++k)
    operands.push_back(graph::parameter(std::string(1, static_cast<char>('a' + k)), c.operands[k].dtype(f32), c.operands[k].shape));
  return operands;
}

const SumRow& row_named(std::string_view name) {
  for (const SumRow& row : sum_rows())
    if (row.name == name) return row;
  throw std::runtime_error("no such row");
}

// The case's sum, and every sum in its gradients of first and second order, each by its class.
struct Classes {
  std::string forward;
  std::vector<std::string> first;
  std::set<std::string> second;
};

void collect(std::span<const Ref> roots, std::set<std::string>& classes) {
  for (Node* n : topological(roots))
    if (n->kind == Kind::sum) classes.emplace(name_of(recognise(*n)));
}

Classes classes_of(const RowCase<SumDef>& c) {
  const std::vector<Ref> operands = operands_of(c);
  const Ref y = graph::from_definition(c.define(graph::types_of(operands)), operands);
  Classes classes{class_of(y), {}, {}};
  for (const Ref& x : operands) {
    if (!is_floating(x.dtype())) continue;
    const Ref dx = gradient(y, x);
    classes.first.push_back(class_of(dx));
    std::vector<Ref> variables = operands;
    variables.push_back(input("g", y.shape()));  // the first gradient's cotangent
    for (const Ref& other : variables) {
      if (!is_floating(other.dtype())) continue;
      const Ref outputs[] = {dx}, seeds[] = {input("h", dx.shape())}, wrt[] = {other};
      if (const Ref second = vjp(outputs, seeds, wrt)[0]) collect(std::vector{second}, classes.second);
    }
  }
  return classes;
}

TEST(Rows, MatmulAndItsGradientsAreProducts) {
  const auto cases = row_named("matmul").cases();
  ASSERT_FALSE(cases.empty());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const Classes classes = classes_of(cases[i]);
    EXPECT_EQ(classes.forward, "matmul");
    ASSERT_EQ(classes.first.size(), 2u);
    // A vector's gradient is an outer product, a dot product's only a scaled vector: nothing is summed over.
    for (const std::string& c : classes.first) EXPECT_TRUE(c == "matmul" || c == "product") << c;
    for (const std::string& c : classes.second) EXPECT_TRUE(c == "matmul" || c == "product") << c;
  }
  EXPECT_EQ(classes_of(cases[0]).first, (std::vector<std::string>{"matmul", "matmul"}));
  EXPECT_EQ(classes_of(cases[1]).first, (std::vector<std::string>{"matmul", "matmul"}));
}

// Cases of convolutions that are not the convolution they look like, and the reason.
struct Special {
  std::string_view row;
  std::size_t number;
  std::string_view forward;
  std::vector<std::string> first;
  std::string_view why;
};
const std::vector<Special> specials = {
    {"convolution2d", 6, "product", {"backward-data convolution", "backward-weights convolution"}, "one channel, one tap: nothing is summed over"},
};

TEST(Rows, ConvolutionsAndTheirGradientsAreConvolutions) {
  std::size_t rows = 0, met = 0;
  for (const SumRow& row : sum_rows()) {
    const bool transposed = row.name.starts_with("transposed_convolution");
    if (!transposed && !row.name.starts_with("convolution")) continue;
    ++rows;
    const auto cases = row.cases();
    EXPECT_GE(cases.size(), 3u) << row.name;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      SCOPED_TRACE(fmt::format("{} {}", row.name, i));
      const Classes classes = classes_of(cases[i]);
      const auto special = std::find_if(specials.begin(), specials.end(), [&](const Special& s) { return s.row == row.name && s.number == i; });
      if (special != specials.end()) {
        ++met;
        EXPECT_EQ(classes.forward, special->forward) << special->why;
        EXPECT_EQ(classes.first, special->first) << special->why;
        continue;
      }
      EXPECT_EQ(classes.forward, transposed ? "backward-data convolution" : "convolution");
      EXPECT_EQ(classes.first, (std::vector<std::string>{transposed ? "convolution" : "backward-data convolution", "backward-weights convolution"}));
      EXPECT_EQ(classes.second, (std::set<std::string>{"convolution", "backward-data convolution", "backward-weights convolution"}));
    }
  }
  EXPECT_EQ(rows, 6u);
  EXPECT_EQ(met, specials.size());
}

TEST(Rows, PoolingsAreWindowsInBothDirections) {
  std::size_t rows = 0;
  for (const SumRow& row : sum_rows()) {
    if (!row.name.starts_with("sum_pool")) continue;
    ++rows;
    for (const auto& c : row.cases()) {
      const Classes classes = classes_of(c);
      EXPECT_EQ(classes.forward, "pooling") << row.name;
      EXPECT_EQ(classes.first, std::vector<std::string>{"pooling gradient"}) << row.name;
    }
  }
  EXPECT_EQ(rows, 3u);
}

TEST(Rows, OneFactor) {
  const std::map<std::string, std::set<std::string>> allowed = {
      {"sum", {"reduction", "strided view"}},
      {"mean", {"reduction", "strided view"}},
      {"broadcast_to", {"broadcast", "strided view"}},
      {"permute", {"strided view"}},
      {"transpose", {"strided view"}},
      {"slice", {"strided view", "generic"}},
      {"pad", {"placed copy", "strided view"}},
      {"nested_reshape", {"strided view", "generic"}},
      {"pick", {"gather"}},
  };
  std::size_t seen = 0;
  for (const SumRow& row : sum_rows()) {
    const auto found = allowed.find(std::string(row.name));
    if (found == allowed.end()) continue;
    ++seen;
    for (const auto& c : row.cases()) EXPECT_TRUE(found->second.contains(classes_of(c).forward)) << row.name << ": " << classes_of(c).forward;
  }
  EXPECT_EQ(seen, allowed.size());
  EXPECT_EQ(classes_of(row_named("sum").cases()[0]).first[0], "broadcast");
  EXPECT_EQ(classes_of(row_named("slice").cases()[0]).first[0], "placed copy");
  EXPECT_EQ(classes_of(row_named("pick").cases()[0]).first[0], "scatter");
}

}  // namespace
}  // namespace cotan::testing
