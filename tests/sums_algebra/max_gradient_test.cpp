// What the recognition of a maximum's gradient asks for, and what moving relu behind a maximum asks for: held against the definition, on sums and windows just
// inside and just outside.
#include <limits>

#include "autograd/differentiate.h"
#include "graph/builder.h"
#include "graph/recognise.h"
#include "graph/text/words.h"
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

// ---- as_max_gradient

// Texts of a sum that scatters `g` to the positions of the maxima of x[2*i+p-1] or x[i,2*j+p], and whether it is the maximum's gradient.
struct ScatterCase {
  const char* what;
  bool is_gradient;
  const char* text;
};

const ScatterCase scatter_cases[] = {
    {"the gradient", true, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = g[i]
  return %1
})"},
    {"the gradient, scaled", true, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = -0.5 * g[i]
  return %1
})"},
    {"of the first positions of a longer factor", false, R"(func f(x: f32[9], g: f32[8]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = g[i]; i<5
  return %1
})"},
    {"of a shorter factor", false, R"(func f(x: f32[9], g: f32[4]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = g[i]
  return %1
})"},
    {"of a shorter factor, walked past its end", false, R"(func f(x: f32[9], g: f32[4]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = g[i]; i<5
  return %1
})"},
    {"of a factor read from its second entry on", false, R"(func f(x: f32[9], g: f32[6]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = g[i+1]; i<5
  return %1
})"},
    {"of a factor read backwards", false, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = g[4-i]; i<5
  return %1
})"},
    {"of one position less", false, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = g[i]; i<4
  return %1
})"},
    {"one entry further", false, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]] = g[i]
  return %1
})"},
    {"into a longer tensor than x", false, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[10][2*i+%0[i,0]-1] = g[i]
  return %1
})"},
    {"of another type than x", false, R"(func f(x: i32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = g[i]
  return %1
})"},
    {"of minima", false, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmin x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = g[i]
  return %1
})"},
    {"to a coordinate that there is not", false, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,1000000007]-1] = g[i]
  return %1
})"},
    {"to a coordinate before the first", false, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,-1]-1] = g[i]
  return %1
})"},
    {"to the neighbour's position", false, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[4-i,0]-1] = g[i]
  return %1
})"},
    {"added up over an index that the factor lacks", false, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = g[i]; q<3
  return %1
})"},
    {"the gradient over two dimensions", true, R"(func f(x: f32[3,6], g: f32[3,3]) {
  %0: i32[3,3,1][i,j] = argmax x[i,2*j+p]; p<2
  %1: f32[3,6][i,2*j+%0[i,j,0]] = g[i,j]
  return %1
})"},
    {"of a square factor, transposed", false, R"(func f(x: f32[3,6], g: f32[3,3]) {
  %0: i32[3,3,1][i,j] = argmax x[i,2*j+p]; p<2
  %1: f32[3,6][i,2*j+%0[i,j,0]] = g[j,i]
  return %1
})"},
    {"of a square factor's diagonal", false, R"(func f(x: f32[3,6], g: f32[3,3]) {
  %0: i32[3,3,1][i,j] = argmax x[i,2*j+p]; p<2
  %1: f32[3,6][i,2*i+%0[i,i,0]] = g[i,i]
  return %1
})"},
    {"of a broadcast row", false, R"(func f(x: f32[3,6], g: f32[3]) {
  %0: i32[3,3,1][i,j] = argmax x[i,2*j+p]; p<2
  %1: f32[3,6][i,2*j+%0[i,j,0]] = g[j]; i<3
  return %1
})"},
    {"of a wider factor", false, R"(func f(x: f32[3,6], g: f32[3,5]) {
  %0: i32[3,3,1][i,j] = argmax x[i,2*j+p]; p<2
  %1: f32[3,6][i,2*j+%0[i,j,0]] = g[i,j]; j<3
  return %1
})"},
    {"of a higher factor", false, R"(func f(x: f32[3,6], g: f32[7,3]) {
  %0: i32[3,3,1][i,j] = argmax x[i,2*j+p]; p<2
  %1: f32[3,6][i,2*j+%0[i,j,0]] = g[i,j]; i<3
  return %1
})"},
    {"the gradient of one row", true, R"(func f(x: f32[1,6], g: f32[1,3]) {
  %0: i32[1,3,1][i,j] = argmax x[i,2*j+p]; p<2
  %1: f32[1,6][i,2*j+%0[i,j,0]] = g[i,j]
  return %1
})"},
    {"of one of several rows", false, R"(func f(x: f32[1,6], g: f32[4,3]) {
  %0: i32[1,3,1][i,j] = argmax x[i,2*j+p]; p<2
  %1: f32[1,6][i,2*j+%0[i,j,0]] = g[0,j]; i<1
  return %1
})"},
    {"under a condition", false, R"(func f(x: f32[9], g: f32[5]) {
  %0: i32[5,1][i] = argmax x[2*i+p-1]; p<3
  %1: f32[9][2*i+%0[i,0]-1] = g[i]; 0<=i-1<3
  return %1
})"},
};

TEST(MaxGradient, IsRecognisedWhereItIsOneAndNowhereElse) {
  for (const ScatterCase& c : scatter_cases) {
    SCOPED_TRACE(c.what);
    const Function f = parse_function(c.text);
    const Node& sum = *f.results[0].node();
    const auto found = as_max_gradient(sum);
    EXPECT_EQ(found.has_value(), c.is_gradient);
    if (!found) continue;
    // By differentiation of that maximum, the same numbers.
    const Ref max = graph::reduce(found->max, found->x);
    ASSERT_EQ(max.shape(), sum.operand(0).shape());
    const Ref outputs[] = {max}, seeds[] = {graph::mul(graph::fill(sum.as<SumSpec>().coefficient, f32, max.shape()), sum.operand(0))}, wrt[] = {found->x};
    Function both = f;
    both.results.push_back(vjp(outputs, seeds, wrt)[0]);
    const auto values = reference::evaluate(both, random_inputs(both, 7), {.exact = true});
    EXPECT_EQ(values[0].values, values[1].values);
  }
}

// Whatever it answers, programs compute what the graph says: alone, and masked by the relu before the maximum.
TEST(MaxGradient, ProgramsComputeWhatTheGraphSays) {
  for (const ScatterCase& c : scatter_cases) {
    for (const bool masked : {false, true}) {
      std::string text = c.text;
      if (masked && text.find("x: f32") == std::string::npos) continue;
      if (masked) {
        const Shape x = parse_function(text).results[0].shape();
        const auto replace = [&](std::string_view from, const std::string& to) {
          for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
        };
        replace("argmax x[", "argmax %9[");
        replace("argmin x[", "argmin %9[");
        if (parse_function(c.text).parameters[0].shape() != x) continue;
        const std::string type = text_form::type_text(f32, x);
        text.insert(text.find('\n') + 1, "  %9: " + type + " = relu(x)\n");
        text.replace(text.find("  return"), std::string::npos, "  %2: " + type + " = { where(%9 <= 0, 0, %1) }\n  return %2\n}");
      }
      SCOPED_TRACE(text);
      const Function f = parse_function(text);
      EXPECT_TRUE(none(compare_three(f, random_inputs(f, 3), {1e-5, 1e-5}, 2)));
    }
  }
}

// ---- large enough for a primitive: pools whose gradients pass a concat, a narrow, and a pad

struct Branch {
  std::int64_t kernel, stride, padding, before, behind;  // channels of other branches before and behind the pool's
};

TEST(MaxGradient, PassesAConcatenation) {
  for (const Branch& b : {Branch{3, 1, 1, 0, 0}, {3, 1, 1, 0, 8}, {3, 1, 1, 8, 0}, {3, 1, 1, 8, 8}, {3, 2, 1, 0, 8}, {2, 2, 0, 0, 8}, {2, 2, 0, 3, 5}}) {
    SCOPED_TRACE(fmt::format("kernel {}, stride {}, {} channels before, {} behind", b.kernel, b.stride, b.before, b.behind));
    const Ref x = graph::parameter("x", f32, {2, 8, 16, 16});
    Ref pool = graph::max_pool2d(graph::relu(x), {.kernel_size = {b.kernel}, .stride = {b.stride}, .padding = {b.padding}});
    std::vector<Ref> parameters{x}, parts;
    for (const auto& [name, channels] : {std::pair("a", b.before), {"b", b.behind}}) {
      if (std::string_view(name) == "b") parts.push_back(pool);
      if (channels == 0) continue;
      Shape shape = pool.shape();
      shape[1] = channels;
      parts.push_back(graph::parameter(name, f32, shape));
      parameters.push_back(parts.back());
    }
    const Ref joined = parts.size() > 1 ? graph::concat(parts, {.dim = 1}) : parts[0];
    const Ref weights = graph::parameter("w", f32, joined.shape());
    parameters.push_back(weights);
    Function f{"inception", parameters, {joined}, {}};
    f.results.push_back(gradients(graph::sum(graph::mul(joined, weights)), std::vector{x})[0]);
    const auto first = [](const Ref& r) { return graph::slice(r, {.dim = 1, .start = 0, .end = 5}); };
    f.results.push_back(gradients(graph::sum(graph::mul(first(joined), first(weights))), std::vector{x})[0]);
    for (const int threads : {1, 4}) EXPECT_TRUE(none(compare_three(f, random_inputs(f, 5), {1e-5, 1e-5}, threads)));
  }
}

// ---- every_window_meets

TEST(EveryWindowMeets, AgreesWithCounting) {
  int met = 0, unmet = 0;
  for (const std::int64_t size : {1, 2, 3, 5, 8})
    for (const std::int64_t outputs : {1, 2, 3, 6})
      for (const std::int64_t taps : {1, 2, 3})
        for (const std::int64_t stride : {1, 2, 3})
          for (const std::int64_t dilation : {1, 2, 3, 6})
            for (const std::int64_t padding : {-2, 0, 1, 2, 4}) {
              ReduceSpec spec;
              spec.domain = {outputs, taps};
              spec.outputs = 1;
              spec.access = {stride * index_of(0) + dilation * index_of(1) - padding};
              bool all = true;
              for (std::int64_t i = 0; i < outputs; ++i) {
                bool any = false;
                for (std::int64_t p = 0; p < taps; ++p) {
                  const std::int64_t at = stride * i + dilation * p - padding;
                  any |= at >= 0 && at < size;
                }
                all &= any;
              }
              const bool told = every_window_meets(spec, Shape{size});
              EXPECT_TRUE(!told || all) << size << " " << outputs << " " << taps << " " << stride << " " << dilation << " " << padding;
              // Only steps wider than the tensor are left undecided.
              EXPECT_TRUE(told == all || dilation > size) << size << " " << outputs << " " << taps << " " << stride << " " << dilation << " " << padding;
              ++(all ? met : unmet);
            }
  EXPECT_GT(met, 100);
  EXPECT_GT(unmet, 100);
}

TEST(EveryWindowMeets, WindowsOfNothing) {
  ReduceSpec spec;
  spec.outputs = 1;
  spec.access = {index_of(0) + index_of(1)};
  spec.domain = {3, 0};
  EXPECT_FALSE(every_window_meets(spec, Shape{4}));
  spec.domain = {3, 2};
  EXPECT_TRUE(every_window_meets(spec, Shape{4}));
  EXPECT_TRUE(every_window_meets(spec, Shape{3}));
  EXPECT_FALSE(every_window_meets(spec, Shape{2}));
  EXPECT_FALSE(every_window_meets(spec, Shape{0}));
  // One tap in two dimensions: what is inside in the one may be outside in the other.
  spec.access = {index_of(0) + index_of(1), index_of(1) - 1};
  EXPECT_FALSE(every_window_meets(spec, Shape{3, 1}));
}

}  // namespace
}  // namespace cotan::testing
