// What mistakes say: the function, the values, the line in this file, and the remedy; one row for each mistake that a user of the public functions can make.
#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::HasSubstr;

struct Mistake {
  int line;
  std::string function, problem, remedy;
  std::function<void()> make;
};

void expect_said(const Mistake& mistake) {
  SCOPED_TRACE(fmt::format("the mistake of line {}", mistake.line));
  const auto e = testing::error_of(mistake.make);
  if (!e) return;
  EXPECT_EQ(e->function(), mistake.function);
  EXPECT_THAT(e->problem(), HasSubstr(mistake.problem));
  EXPECT_FALSE(e->remedy().empty());
  EXPECT_THAT(e->remedy(), HasSubstr(mistake.remedy));
  EXPECT_EQ(e->where().line, mistake.line);
  EXPECT_EQ(testing::file_name(e->where()), "messages_test.cpp");
  EXPECT_EQ(std::string(e->what()), fmt::format("{}: {}. {} (at {}:{})", e->function(), e->problem(), e->remedy(), e->where().file, e->where().line));
}

#define MISTAKE(function, problem, remedy, ...)                       \
  Mistake {                                                           \
    __LINE__, function, problem, remedy, [&] { (void)(__VA_ARGS__); } \
  }

TEST(Messages, OfTensorsAndTheirValues) {
  const Tensor none, pair = tensor({1, 2}), whole = tensor({1, 2}, i32), matrix = zeros({2, 3});
  const std::vector<float> three = {1, 2, 3};
  float room[4] = {};
  for (const Mistake& m : {
           // clang-format off
           MISTAKE("tensor", "3 values for shape (2, 2), which has 4 elements", "as many values", tensor(three, {2, 2})),
           MISTAKE("tensor", "0.5 does not fit i32", "whole numbers in range", tensor({1, 0.5}, i32)),
           MISTAKE("tensor", "256 does not fit u8", "whole numbers in range", tensor({256}, u8)),
           MISTAKE("full", "1.5 does not fit i32", "whole number in range", full({2}, 1.5, i32)),
           MISTAKE("full", "a negative size in shape (2, -3)", "at least 0", full({2, -3}, 1)),
           MISTAKE("zeros", "is too large", "Check the sizes", zeros({1 << 30, 1 << 30})),
           MISTAKE("arange", "a range of bool", "a type of numbers", arange(4, boolean)),
           MISTAKE("arange", "a negative size", "at least 0", arange(-1)),
           MISTAKE("normal", "type i32", "f32 or f64", normal({2}, {.dtype = i32})),
           MISTAKE("item", "one element of a tensor of shape (2,), which has 2", "to_vector()", pair.item()),
           MISTAKE("item", "a tensor of f32 read as f64", "item<...>()", sum(pair).item<double>()),
           MISTAKE("item", "an undefined tensor", "Give it a value first", none.item()),
           MISTAKE("to_vector", "a tensor of i32 read as f32", "to_vector<...>()", whole.to_vector()),
           MISTAKE("to_vector", "an undefined tensor", "Give it a value first", none.to_vector()),
           MISTAKE("copy_to", "an undefined tensor", "Give it a value first", none.copy_to(room)),
           MISTAKE("detach", "an undefined tensor", "Give it a value first", none.detach()),
           MISTAKE("shape", "an undefined tensor", "Give it a value first", none.shape()),
           MISTAKE("dtype", "an undefined tensor", "Give it a value first", none.dtype()),
           MISTAKE("numel", "an undefined tensor", "Give it a value first", none.numel()),
           MISTAKE("requires_grad_", "an undefined tensor", "Give it a value first", Tensor().requires_grad_()),
           MISTAKE("requires_grad_", "a tensor of i32 has no gradient", "Cast it to f32 first", Tensor(whole).requires_grad_()),
           MISTAKE("grad", "no gradient was asked of", "requires_grad_()", pair.grad()),
           MISTAKE("grad", "no gradient was asked of", "requires_grad_()", none.grad()),
           MISTAKE("graph_size", "an undefined tensor", "Give it a value first", graph_size({pair, none})),
           MISTAKE("evaluate", "an undefined tensor", "Give it a value first", evaluate({pair, none})),
           // clang-format on
       })
    expect_said(m);
}

TEST(Messages, OfOperators) {
  const Tensor none, pair = tensor({1, 2}), triple = tensor({1, 2, 3}), whole = tensor({1, 2}, i32), matrix = zeros({2, 3}), doubles = zeros({2}, f64);
  Tensor empty;
  const Variable no_variable;
  for (const Mistake& m : {
           // clang-format off
           MISTAKE("add", "(2,)", "", pair + triple),
           MISTAKE("mul", "(3,)", "", triple * pair),
           MISTAKE("sub", "f64", "cast", pair - doubles),
           MISTAKE("div", "i32", "cast", pair / whole),
           MISTAKE("add", "0.5 beside a tensor of i32", "Cast the tensor", whole + 0.5),
           MISTAKE("lt", "(2,)", "", pair < triple),
           MISTAKE("add", "an undefined tensor", "Give it a value first", none + pair),
           MISTAKE("mul", "an undefined tensor", "Give it a value first", pair * none),
           MISTAKE("relu", "an undefined tensor", "Give it a value first", relu(none)),
           MISTAKE("add", "an undefined tensor", "Give it a value first", empty += pair),
           MISTAKE("value", "an undefined variable", "a name and a value", no_variable * 2),
           MISTAKE("matmul", "inner sizes differ: (2, 3) x (2, 3)", "must equal", matmul(matrix, matrix)),
           MISTAKE("sum", "dimension 2 of a tensor with 2 dimensions", "", sum(matrix, {.dim = 2})),
           MISTAKE("mean", "mean of i32", "Cast it to f32", mean(whole)),
           MISTAKE("softmax", "dimension 5", "", softmax(matrix, {.dim = 5})),
           MISTAKE("reshape", "6 elements cannot become", "", reshape(matrix, {4})),
           MISTAKE("cross_entropy", "target of type f32", "", cross_entropy(matrix, pair)),
           MISTAKE("cross_entropy", "target of shape (3,)", "", cross_entropy(matrix, tensor({0, 1, 2}, i32))),
           MISTAKE("exp", "i32", "", exp(whole)),
           MISTAKE("where", "f32", "", where(pair, pair, pair)),
           // clang-format on
       })
    expect_said(m);
}

TEST(Messages, OfVariables) {
  const Variable none, w("w", tensor({1, 2})), whole("whole", tensor({1, 2}, i32));
  for (const Mistake& m : {
           // clang-format off
           MISTAKE("Variable", "variable 'v' of an undefined tensor", "Give it a value", Variable("v", Tensor())),
           MISTAKE("name", "an undefined variable", "a name and a value", none.name()),
           MISTAKE("shape", "an undefined variable", "a name and a value", none.shape()),
           MISTAKE("dtype", "an undefined variable", "a name and a value", none.dtype()),
           MISTAKE("version", "an undefined variable", "a name and a value", none.version()),
           MISTAKE("value", "an undefined variable", "a name and a value", none.value()),
           MISTAKE("assign", "an undefined variable", "a name and a value", none.assign(1)),
           MISTAKE("grad", "an undefined variable", "a name and a value", none.grad()),
           MISTAKE("zero_grad", "an undefined variable", "a name and a value", none.zero_grad()),
           MISTAKE("requires_grad_", "an undefined variable", "a name and a value", Variable().requires_grad_()),
           MISTAKE("requires_grad", "an undefined variable", "a name and a value", none.requires_grad()),
           MISTAKE("requires_grad_", "variable 'whole' of i32 has no gradient", "floating", Variable(whole).requires_grad_()),
           MISTAKE("assign", "variable 'w' of f32 (2,) given f32 (3,)", "never change", w.assign(tensor({1, 2, 3}))),
           MISTAKE("assign", "variable 'w' of f32 (2,) given i32 (2,)", "never change", w.assign(tensor({1, 2}, i32))),
           MISTAKE("assign", "the number 0.5 beside a tensor of i32", "whole number in range", whole.assign(0.5)),
           MISTAKE("grad", "variable 'w' has no gradient", "Call backward()", w.grad()),
           // clang-format on
       })
    expect_said(m);
}

TEST(Messages, OfGradients) {
  const Tensor none, pair = tensor({1, 2}), whole = tensor({1, 2}, i32);
  const Variable w("w", tensor({1, 2}));
  const Tensor loss = sum(w * w), vector = w * 2;
  for (const Mistake& m : {
           // clang-format off
           MISTAKE("backward", "a tensor of f32 (2,) is no floating scalar", "Sum it", vector.backward()),
           MISTAKE("backward", "a tensor of i32 () is no floating scalar", "Sum it", sum(whole).backward()),
           MISTAKE("backward", "depends on no variable", "Use a Variable", sum(pair).backward()),
           MISTAKE("backward", "an undefined tensor", "Give it a value first", none.backward()),
           MISTAKE("gradients", "a tensor of f32 (2,) is no floating scalar", "vjp", gradients(vector, {w})),
           MISTAKE("gradients", "an undefined tensor", "Give it a value first", gradients(none, {w})),
           MISTAKE("gradients", "a gradient by an undefined tensor", "Give it a value first", gradients(loss, {none})),
           MISTAKE("gradients", "a gradient by a number", "a tensor or a variable", gradients(loss, {2})),
           MISTAKE("gradients", "a tensor of type i32 has no gradient", "cast", gradients(loss, {whole})),
           MISTAKE("vjp", "1 cotangents for 2 outputs", "one for each output", vjp({vector, loss}, {pair}, {w})),
           MISTAKE("vjp", "a cotangent of f32 () for a tensor of f32 (2,)", "same shape and type", vjp({vector}, {loss}, {w})),
           MISTAKE("vjp", "an undefined tensor", "Give it a value first", vjp({vector}, {none}, {w})),
           MISTAKE("vjp", "an output of type i32 has no gradient", "floating", vjp({whole}, {whole}, {w})),
           MISTAKE("jvp", "0 tangents for 1 tensors", "one for each tensor", jvp({vector}, {w}, {})),
           MISTAKE("jvp", "a tangent of f64 (2,) for a tensor of f32 (2,)", "same shape and type", jvp({vector}, {w}, {zeros({2}, f64)})),
           MISTAKE("jvp", "an output of type i32 has no gradient", "floating", jvp({whole}, {w}, {pair})),
           // clang-format on
       })
    expect_said(m);
}

TEST(Messages, OfFunctionsOnFunctions) {
  const Tensor none, pair = tensor({1, 2}), whole = tensor({1, 2}, i32);
  const auto loss = [](const Tensor& x) { return sum(x * x); };
  const auto twice = [](const Tensor& x) { return x * 2; };
  const auto both = [](const Tensor& x) { return std::pair(x, x * 2); };
  const auto nothing = [](const Tensor&) { return Tensor(); };
  for (const Mistake& m : {
           // clang-format off
           MISTAKE("vjp", "1 cotangents for 2 outputs", "one for each output", vjp(both, {pair}, {pair})),
           MISTAKE("vjp", "a cotangent of i32 (2,) for a tensor of f32 (2,)", "same shape and type", vjp(twice, {pair}, {whole})),
           MISTAKE("vjp", "result 0 is an undefined tensor", "Return tensors", vjp(nothing, {pair}, {pair})),
           MISTAKE("jvp", "0 tangents for 1 tensors", "one for each tensor", jvp(twice, {pair}, {})),
           MISTAKE("jvp", "a tangent of i32 (2,) for a tensor of f32 (2,)", "same shape and type", jvp(twice, {pair}, {whole})),
           MISTAKE("jvp", "a tensor of type i32 has no gradient", "cast", jvp(twice, {whole}, {whole})),
           MISTAKE("grad", "a function whose result is f32 (2,), no floating scalar", "Sum it", grad(twice)(pair)),
           MISTAKE("grad", "a function of 2 results", "one floating scalar", grad(both)(pair)),
           MISTAKE("grad", "a function whose result is i32 ()", "Sum it", grad(loss)(whole)),
           MISTAKE("grad", "an undefined tensor", "Give it a value first", grad(loss)(none)),
           MISTAKE("value_and_grad", "a function whose result is f32 (2,), no floating scalar", "Sum it", value_and_grad(twice)(pair)),
           MISTAKE("value_and_grad", "an undefined tensor", "Give it a value first", value_and_grad(loss)(none)),
           MISTAKE("hvp", "a function whose result is f32 (2,), no floating scalar", "Sum it", hvp(twice, {pair}, {pair})),
           MISTAKE("hvp", "0 vectors for 1 inputs", "one for each input", hvp(loss, {pair}, {})),
           MISTAKE("hvp", "vector 0 of i32 (2,) for an input of f32 (2,)", "same shape and type", hvp(loss, {pair}, {whole})),
           MISTAKE("hvp", "an undefined tensor", "Give it a value first", hvp(loss, {none}, {pair})),
           MISTAKE("hvp", "a function whose result is i32 ()", "Sum it", hvp(loss, {whole}, {whole})),
           MISTAKE("jacobian", "a function of 2 results", "one tensor", jacobian(both, pair)),
           MISTAKE("jacobian", "an undefined tensor", "Give it a value first", jacobian(twice, none)),
           MISTAKE("jacobian", "type i32 has no gradient", "cast", jacobian(twice, whole)),
           MISTAKE("checkpoint", "result 0 is an undefined tensor", "Return tensors", checkpoint(nothing)(pair)),
           MISTAKE("checkpoint", "an undefined tensor", "Give it a value first", checkpoint(twice)(none)),
           MISTAKE("compile", "no_such_pass", "", compile(twice, {.passes = "+no_such_pass"})),
           MISTAKE("compiled function", "argument 0 is an undefined tensor", "Give it a value first", compile(twice)(none)),
           MISTAKE("compiled function", "result 0 is an undefined tensor", "Return tensors", compile(nothing)(pair)),
           MISTAKE("constant", "an undefined tensor", "Give it a value first", constant(none)),
           MISTAKE("profile", "an undefined tensor", "Give it a value first", profile(nothing, {pair})),
           MISTAKE("profile", "2 repetitions", "at least 3", profile(twice, {pair}, {.repetitions = 2})),
           MISTAKE("verify", "an undefined tensor", "Give it a value first", verify(nothing, {pair})),
           MISTAKE("verify", "bounds of -1 relative", "none below 0", verify(twice, {pair}, {.relative = -1})),
           // clang-format on
       })
    expect_said(m);
}

TEST(Messages, OfRandomNumbers) {
  const Tensor whole = tensor({1, 2}, i32);
  for (const Mistake& m : {
           // clang-format off
           MISTAKE("uniform", "numbers from 1 to below 0", "", uniform({2}, {.low = 1, .high = 0})),
           MISTAKE("normal", "a standard deviation of -1", "", normal({2}, {.std = -1})),
           MISTAKE("bernoulli", "p = 2", "from 0 to 1", bernoulli({2}, 2.0)),
           MISTAKE("bernoulli", "", "", bernoulli(whole)),
           MISTAKE("randint", "", "", randint(3, 3, {2})),
           MISTAKE("randperm", "", "", randperm(-1)),
           MISTAKE("dropout", "p = -1", "from 0 to 1", dropout(ones({2}), {.p = -1})),
           MISTAKE("dropout", "", "", dropout(whole)),
           // clang-format on
       })
    expect_said(m);
}

TEST(Messages, OfOptimizersAndTheCache) {
  const Variable w("w", tensor({1, 2}));
  optim::SGD sgd({w}, {.lr = 0.1});
  for (const Mistake& m : {
           // clang-format off
           MISTAKE("step", "no parameter has a gradient", "Call backward()", sgd.step()),
           MISTAKE("SGD", "no parameters", "Name the variables", optim::SGD({}, {.lr = 1})),
           MISTAKE("SGD", "an undefined variable among the parameters", "a name and a value", optim::SGD({w, Variable()}, {.lr = 1})),
           MISTAKE("set_cache_capacity", "a cache of no entries", "at least one", set_cache_capacity(0)),
           MISTAKE("set_threads", "-1", "", set_threads(-1)),
           MISTAKE("load_mnist", "/nowhere/", "./quickstart", training::load_mnist("/nowhere")),
           // clang-format on
       })
    expect_said(m);
}

TEST(Messages, OfIndicesOutOfRange) {
  const Tensor logits = zeros({2, 3});
  for (const ExecutionMode mode : {ExecutionMode::reference, ExecutionMode::compiled}) {
    const ExecutionOptions before = set_execution_options({.mode = mode});
    const Tensor loss = cross_entropy(logits, tensor({1, -4}, i32));
    const int line = __LINE__ - 1;
    const auto e = testing::error_of([&] { static_cast<void>(loss.item()); });
    set_execution_options(before);
    ASSERT_TRUE(e);
    EXPECT_EQ(e->where().line, line);
    EXPECT_THAT(e->problem(), HasSubstr("-4 at position 1 is outside 0..2"));
    EXPECT_THAT(e->remedy(), HasSubstr("count from 0"));
  }
}

TEST(Messages, OfAnEmptyHandAreNeverACrash) {
  const Tensor none;
  EXPECT_FALSE(none.defined());
  EXPECT_FALSE(none.is_evaluated());
  EXPECT_FALSE(none.requires_grad());
  std::ostringstream out;
  out << none;
  EXPECT_EQ(out.str(), "tensor(undefined)");
}

}  // namespace
}  // namespace cotan
