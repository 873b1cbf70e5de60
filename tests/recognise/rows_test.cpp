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

// Whether one of the readings of a sum as a convolution computes that part. There are two of most: a kernel as large as the result may be either.
bool reads_as(const Ref& node, ConvolutionOutput output) {
  const std::vector<ConvolutionForm> forms = as_convolution(node->as<SumSpec>(), tensor_shapes(*node.node()));
  return std::any_of(forms.begin(), forms.end(), [&](const ConvolutionForm& form) { return form.output == output; });
}

// The cases that sum over nothing, or along no window.
const std::map<std::string, std::string> other_classes = {
    {"convolution2d 6", "product"},             // one channel, one tap
    {"transposed_convolution2d 3", "product"},  // a channel a group, windows side by side
};

TEST(Rows, ConvolutionsAndTheirGradientsAreConvolutions) {
  using enum ConvolutionOutput;
  std::size_t rows = 0, others = 0;
  for (const SumRow& row : sum_rows()) {
    const bool transposed = row.name.starts_with("transposed_convolution");
    if (!transposed && !row.name.starts_with("convolution")) continue;
    ++rows;
    const auto cases = row.cases();
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const std::string name = fmt::format("{} {}", row.name, i);
      SCOPED_TRACE(name);
      const std::vector<Ref> operands = operands_of(cases[i]);
      const Ref &x = operands[0], &w = operands[1], y = graph::from_definition(cases[i].define(graph::types_of(operands)), operands), g = input("g", y.shape());
      // Seen from the transposed operation, x is the result of a convolution and y its source.
      const ConvolutionOutput of_y = transposed ? source : result, of_x = transposed ? result : source;
      const Ref dx = gradient(y, x), dw = gradient(y, w);
      EXPECT_TRUE(reads_as(y, of_y));
      EXPECT_TRUE(reads_as(dx, of_x));
      EXPECT_TRUE(reads_as(dw, weights));
      EXPECT_TRUE(reads_as(gradient(dx, g, "h"), of_y));
      EXPECT_TRUE(reads_as(gradient(dx, w, "h"), weights));
      EXPECT_TRUE(reads_as(gradient(dw, x, "h"), of_x));
      EXPECT_TRUE(reads_as(gradient(dw, g, "h"), of_y));
      const auto other = other_classes.find(name);
      others += other != other_classes.end();
      if (other != other_classes.end())
        EXPECT_EQ(class_of(y), other->second);
      else
        EXPECT_TRUE(class_of(y).ends_with("convolution")) << class_of(y);
    }
  }
  EXPECT_EQ(rows, 6u);
  EXPECT_EQ(others, other_classes.size());
}

TEST(Rows, PoolingsAreWindowsInBothDirections) {
  // Windows side by side that fill the input are digits of its dimensions; side by side beyond its end, each entry is in one of them.
  const std::pair<std::string, std::string> filling{"reduction", "broadcast"}, beyond{"pooling", "placed copy"}, overlapping{"pooling", "pooling gradient"};
  const std::map<std::string_view, std::vector<std::pair<std::string, std::string>>> expected = {
      {"sum_pool1d", {filling, overlapping, beyond}}, {"sum_pool2d", {filling, overlapping, overlapping}}, {"sum_pool3d", {filling, overlapping, overlapping}}};
  for (const auto& [name, classes] : expected) {
    const auto cases = row_named(name).cases();
    ASSERT_EQ(cases.size(), classes.size()) << name;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      SCOPED_TRACE(fmt::format("{} {}", name, i));
      const Classes got = classes_of(cases[i]);
      EXPECT_EQ(got.forward, classes[i].first);
      EXPECT_EQ(got.first, std::vector<std::string>{classes[i].second});
    }
  }
}

TEST(Rows, OneFactor) {
  const std::map<std::string, std::set<std::string>> allowed = {
      {"sum", {"reduction", "strided view"}},
      {"mean", {"reduction", "strided view"}},
      {"broadcast_to", {"broadcast", "strided view", "generic"}},
      {"permute", {"strided view"}},
      {"transpose", {"strided view"}},
      {"slice", {"strided view", "generic"}},
      {"pad_zeros", {"placed copy", "strided view"}},
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
