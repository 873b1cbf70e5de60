// Recording: operators append nodes with the user's line and scope; mistakes in shapes and types are thrown at the line that made them.
#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::lines_of;

TEST(Recording, ComputesNothing) {
  const Tensor a = tensor({1, 2, 3});
  const Tensor b = relu(a * 2 - 3) + exp(a);
  EXPECT_FALSE(b.is_evaluated());
  EXPECT_EQ(b.shape(), (Shape{3}));
  EXPECT_EQ(b.dtype(), f32);
}

TEST(Recording, EveryOperatorFormKnowsItsLine) {
  const Tensor a = tensor({1, 2}), b = tensor({3, 4});
  const Variable w("w", tensor({5, 6}));
  struct Form {
    int line;
    std::function<Tensor()> record;
  };
#define FORM(...)                         \
  Form {                                  \
    __LINE__, [&] { return __VA_ARGS__; } \
  }
  const std::vector<Form> forms = {
      FORM(a + b),
      FORM(a - b),
      FORM(a * b),
      FORM(a / b),
      FORM(-a),
      FORM(2 * a),
      FORM(a * 2.5),
      FORM(1.5f / a),
      FORM(a > 0),
      FORM(0 >= a),
      FORM(a == b),
      FORM(a != b),
      FORM(a < b),
      FORM(a <= 2),
      FORM(w + a),
      FORM(3 * w),
      FORM(-w),
      FORM(relu(a)),
      FORM(where(a > b, a, b)),
      FORM(sum(a, {.dim = 0, .keepdim = true})),
      FORM(softmax(a, {.dim = 0})),
      FORM(reshape(a, {2, 1})),
      FORM(argmax(a)),
      FORM(cast(a, f64)),
      FORM(a.detach()),
      FORM(full({7}, 0.125)),
      FORM(full({7}, 0)),
      FORM(arange(9)),
      FORM(normal({11})),
      FORM(maximum(a, w)),
  };
#undef FORM
  for (const Form& form : forms) EXPECT_THAT(lines_of(form.record()), ::testing::Contains(form.line));
}

TEST(Recording, AssigningOperatorsKnowTheirLine) {
  Tensor a = tensor({1, 2});
  const Tensor b = tensor({3, 4});
  a += b;
  EXPECT_THAT(lines_of(a), ElementsAre(__LINE__ - 1));
  a -= 2;
  EXPECT_THAT(lines_of(a), ElementsAre(__LINE__ - 1));
  a *= b;
  EXPECT_THAT(lines_of(a), ElementsAre(__LINE__ - 1));
  a /= 4.0;
  EXPECT_THAT(lines_of(a), ElementsAre(__LINE__ - 1));
  EXPECT_THAT(a.to_vector(), ElementsAre((1 + 3 - 2) * 3 / 4.0f, (2 + 4 - 2) * 4 / 4.0f));
}

TEST(Recording, AnExpressionOverSeveralLinesKeepsItsLinesApart) {
  const Tensor a = tensor({1, 2}), b = tensor({3, 4}), c = tensor({5, 6});
  const int line = __LINE__;
  const Tensor all = exp(a) +

                     b * c;
  // Of an operator's operands on different lines, compilers choose one.
  EXPECT_THAT(lines_of(all), ElementsAre(::testing::AllOf(::testing::Gt(line), ::testing::Le(line + 3))));
  auto lines_of_operand = [&](std::size_t k) { return lines_of(Tensor::wrap(all.state()->ref->operand(k), {})); };
  EXPECT_THAT(lines_of_operand(0), ElementsAre(line + 1));
  EXPECT_THAT(lines_of_operand(1), ElementsAre(line + 3));
}

TEST(Recording, OneNodeKeepsEveryOrigin) {
  const Tensor a = tensor({1, 2});
  const Tensor x = sin(a);
  const Tensor y = sin(a);
  EXPECT_EQ(x.state()->ref, y.state()->ref);
  EXPECT_THAT(lines_of(x), ElementsAre(__LINE__ - 3, __LINE__ - 2));
}

TEST(Recording, NameScopesNest) {
  const Tensor a = tensor({1, 2});
  Tensor inner, outer;
  {
    const RecordingScope encoder("encoder");
    {
      const RecordingScope layer("linear1");
      inner = cos(a);
    }
    outer = cos(a) + 1;
  }
  const Tensor none = cos(a) + 2;
  auto scopes = [](const Tensor& t) {
    std::vector<std::string> names;
    const Node& n = *t.state()->ref.node();
    for (const Origin& o : n.table->origins_of(n)) names.emplace_back(o.scope);
    return names;
  };
  EXPECT_THAT(scopes(inner), ElementsAre("encoder.linear1", "encoder", ""));
  EXPECT_THAT(scopes(outer), ElementsAre("encoder"));
  EXPECT_THAT(scopes(none), ElementsAre(""));
}

TEST(Recording, ControlFlowJustWorks) {
  Tensor x = tensor({1});
  for (int i = 0; i < 5; ++i)
    if (i % 2 == 0)
      x = x * 2;
    else
      x = x + 1;
  EXPECT_EQ(x.item(), ((1 * 2 + 1) * 2 + 1) * 2);
}

TEST(Recording, ShapeErrorsAreThrownAtTheLineThatMadeThem) {
  const Tensor a = zeros({2, 3}), b = zeros({4, 3});
  const auto e = error_of([&] {
    const Tensor fine = a + 1;
    const Tensor bad = fine + b;
    FAIL() << "recorded " << bad.shape().text();
  });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->where().line, __LINE__ - 4);
  EXPECT_EQ(testing::file_name(e->where()), "recording_test.cpp");
  EXPECT_EQ(e->function(), "add");
  EXPECT_THAT(e->problem(), HasSubstr("(2, 3)"));
  EXPECT_THAT(e->problem(), HasSubstr("(4, 3)"));
  EXPECT_FALSE(e->remedy().empty());
}

TEST(Recording, TypeErrorsAreThrownAtTheLineThatMadeThem) {
  const Tensor a = zeros({2}), b = zeros({2}, f64);
  const auto e = error_of([&] { static_cast<void>(a * b); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->where().line, __LINE__ - 2);
  EXPECT_THAT(e->problem(), HasSubstr("f32"));
  EXPECT_THAT(e->problem(), HasSubstr("f64"));
  EXPECT_THAT(e->remedy(), HasSubstr("cast"));
}

TEST(Recording, OnlyLiteralsAdapt) {
  EXPECT_EQ((zeros({2}, f64) + 1).dtype(), f64);
  EXPECT_EQ((2.5 * zeros({2}, f64)).dtype(), f64);
  EXPECT_EQ((zeros({2}, i32) + 1).dtype(), i32);
  EXPECT_EQ((zeros({2}) > 0.5).dtype(), boolean);
  const auto e = error_of([&] { static_cast<void>(zeros({2}, i32) + 0.5); });
  ASSERT_TRUE(e);
  EXPECT_THAT(e->problem(), HasSubstr("0.5"));
}

}  // namespace
}  // namespace cotan
