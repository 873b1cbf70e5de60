// Options out of range and wrong parameters: what is said of them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/optim/problem.h"

namespace cotan::testing {
namespace {

using ::testing::HasSubstr;

// The message starts with the class, names the option and its value, has a remedy and names this file.
#define EXPECT_REFUSED(of, about, advice, ...)                                  \
  do {                                                                          \
    try {                                                                       \
      static_cast<void>(__VA_ARGS__);                                           \
      ADD_FAILURE() << "no Error for " << (about);                              \
    } catch (const Error& e) {                                                  \
      EXPECT_EQ(e.function(), of);                                              \
      EXPECT_THAT(e.problem(), HasSubstr(about));                               \
      EXPECT_THAT(e.remedy(), HasSubstr(advice));                               \
      EXPECT_THAT(std::string(e.where().file), HasSubstr("messages_test.cpp")); \
    }                                                                           \
  } while (false)

constexpr double infinity = std::numeric_limits<double>::infinity();
const double nan = std::numeric_limits<double>::quiet_NaN();

class OptimizerMessages : public ::testing::Test {
 protected:
  Variable w{"w", tensor({1, 2})};
};

TEST_F(OptimizerMessages, OptionsOfEachKind) {
  EXPECT_REFUSED("SGD", "lr -0.1", "at least 0", optim::SGD({w}, {.lr = -0.1}));
  EXPECT_REFUSED("SGD", "lr nan", "finite", optim::SGD({w}, {.lr = nan}));
  EXPECT_REFUSED("SGD", "lr inf", "finite", optim::SGD({w}, {.lr = infinity}));
  EXPECT_REFUSED("SGD", "momentum -1", "at least 0", optim::SGD({w}, {.momentum = -1}));
  EXPECT_REFUSED("SGD", "dampening inf", "finite", optim::SGD({w}, {.dampening = infinity}));
  EXPECT_REFUSED("SGD", "weight_decay -2", "at least 0", optim::SGD({w}, {.weight_decay = -2}));
  EXPECT_REFUSED("SGD", "nesterov with momentum 0", "above 0", optim::SGD({w}, {.nesterov = true}));
  EXPECT_REFUSED("SGD", "dampening 0.5", "no dampening", optim::SGD({w}, {.momentum = 0.9, .dampening = 0.5, .nesterov = true}));
  EXPECT_REFUSED("Adagrad", "lr_decay -1", "at least 0", optim::Adagrad({w}, {.lr_decay = -1}));
  EXPECT_REFUSED("Adagrad", "initial_accumulator_value -1", "at least 0", optim::Adagrad({w}, {.initial_accumulator_value = -1}));
  EXPECT_REFUSED("Adagrad", "eps -1", "at least 0", optim::Adagrad({w}, {.eps = -1}));
  EXPECT_REFUSED("RMSprop", "alpha 1.5", "at most 1", optim::RMSprop({w}, {.alpha = 1.5}));
  EXPECT_REFUSED("RMSprop", "momentum -1", "at least 0", optim::RMSprop({w}, {.momentum = -1}));
  EXPECT_REFUSED("Adadelta", "rho -0.5", "at most 1", optim::Adadelta({w}, {.rho = -0.5}));
  EXPECT_REFUSED("Adadelta", "eps nan", "at least 0", optim::Adadelta({w}, {.eps = nan}));
  EXPECT_REFUSED("Adam", "betas[0] 1", "below 1", optim::Adam({w}, {.betas = {1, 0.9}}));
  EXPECT_REFUSED("Adam", "betas[1] -0.5", "at least 0", optim::Adam({w}, {.betas = {0.9, -0.5}}));
  EXPECT_REFUSED("AdamW", "weight_decay -1", "at least 0", optim::AdamW({w}, {.weight_decay = -1}));
}

TEST_F(OptimizerMessages, ParametersAndGroups) {
  const Variable v("v", tensor({3})), whole("whole", tensor({3}, i32));
  EXPECT_REFUSED("Adam", "no parameters", "Name the variables", optim::Adam({}));
  EXPECT_REFUSED("AdamW", "an undefined variable", "a name and a value", optim::AdamW({w, Variable()}));
  EXPECT_REFUSED("Adagrad", "parameter 'whole' of type i32", "cast", optim::Adagrad({w, whole}));
  optim::RMSprop rmsprop({w});
  EXPECT_REFUSED("add_param_group", "parameter 'w' is in a group already", "one group", rmsprop.add_param_group({v, w}, {}));
  EXPECT_REFUSED("add_param_group", "alpha 2", "at most 1", rmsprop.add_param_group({v}, {.alpha = 2}));
  EXPECT_EQ(rmsprop.group_count(), 1U);
  EXPECT_REFUSED("lr", "group 1 of 1", "count from 0", rmsprop.lr(1));
  EXPECT_REFUSED("options", "group 7 of 1", "count from 0", rmsprop.options(7));
  EXPECT_REFUSED("set_options", "eps -1", "at least 0", rmsprop.set_options({.eps = -1}));
  EXPECT_REFUSED("set_lr", "lr -1", "at least 0", rmsprop.set_lr(-1));
  EXPECT_REFUSED("set_lr", "group 1 of 1", "count from 0", rmsprop.set_lr(1, 1));
  EXPECT_REFUSED("step", "no parameter has a gradient", "backward()", rmsprop.step());
  EXPECT_EQ(rmsprop.lr(), 0.01);
}

TEST_F(OptimizerMessages, Clipping) {
  EXPECT_REFUSED("clip_grad_norm_", "max_norm -1", "at least 0", optim::clip_grad_norm_({w}, -1));
  EXPECT_REFUSED("clip_grad_norm_", "max_norm nan", "at least 0", optim::clip_grad_norm_({w}, nan));
  EXPECT_REFUSED("clip_grad_norm_", "norm_type 0", "above 0", optim::clip_grad_norm_({w}, 1, {.norm_type = 0}));
  EXPECT_REFUSED("clip_grad_norm_", "an undefined variable", "a name and a value", optim::clip_grad_norm_({w, Variable()}, 1));
  EXPECT_REFUSED("clip_grad_value_", "clip_value -3", "at least 0", optim::clip_grad_value_({w}, -3));
}

}  // namespace
}  // namespace cotan::testing
