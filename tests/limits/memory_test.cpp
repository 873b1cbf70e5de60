// Where memory ends, a call ends in an Error that says so, never in a signal or another exception; what was there stays, and the program goes on when there is
// memory again. Each case runs in a process of its own, whose address space is cut to what it has and a little more: what is made when it is first needed
// (threads, primitives, generated code) is made under the limit.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "autograd/evaluate.h"
#include "autograd/gradients.h"
#include "autograd/ops.h"
#include "autograd/optim/adam.h"
#include "autograd/optim/sgd.h"
#include "autograd/variable.h"
#include "graph/threads.h"

namespace cotan {
namespace {

constexpr std::size_t KiB = 1024, MiB = 1024 * KiB;

std::size_t address_space() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void limit_address_space(rlim_t bytes) {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = std::min(bytes, limit.rlim_max);
  setrlimit(RLIMIT_AS, &limit);
}

// Says on stderr what is wrong and ends the child.
[[noreturn]] void give_up(const std::string& what) {
  std::fputs((what + "\n").c_str(), stderr);
  std::_Exit(3);
}

// What a child does under a limit. `variables` are what it may change.
struct Work {
  std::vector<Variable> variables;
  std::function<void()> step;
};

Work linear() {
  const Variable w("w", full({64, 256}, 0.01)), b("b", zeros({256}));
  const auto sgd = std::make_shared<optim::SGD>(std::vector<Variable>{w, b}, optim::SGDOptions{.lr = 0.1});
  return {{w, b}, [=] {
            const Tensor loss = mean(square(tanh(matmul(ones({128, 64}), w) + b) - 1));
            loss.backward();
            sgd->step();
          }};
}

Work convolution() {
  const Variable k("k", full({16, 3, 3, 3}, 0.01));
  const auto adam = std::make_shared<optim::Adam>(std::vector<Variable>{k}, optim::AdamOptions{.lr = 0.1});
  return {{k}, [=] {
            const Tensor loss = mean(max_pool2d(relu(conv2d(ones({8, 3, 20, 20}), k)), {.kernel_size = 2}));
            loss.backward();
            adam->step();
          }};
}

Work loops() {
  const Variable x("x", full({300, 400}, 0.5));
  return {{x}, [=] {
            x.assign(softmax(exp(x) * 2 - x, {.dim = 1}) + max(x, {.dim = 0}));
            evaluate({});
          }};
}

Work reading() {
  return {{}, [] {
            const Tensor x = full({1 << 18}, 3) + 1;
            if (x.to_vector()[0] != 4) give_up("another value was read");
            std::ostringstream out;
            out << x;
          }};
}

std::vector<std::vector<float>> values_of(const Work& work) {
  std::vector<std::vector<float>> values;
  for (const Variable& v : work.variables) values.push_back(v.value().to_vector());
  return values;
}

// The child. It says by its exit status whether the limit was met.
[[noreturn]] void run_within(Work (*make)(), std::size_t room) {
  set_threads(3);
  const Work work = make();
  for (const Variable& v : work.variables) static_cast<void>(v.value().to_vector());
  const auto before = values_of(work);
  bool failed = false;
  limit_address_space(address_space() + room);
  try {
    work.step();
  } catch (const Error& e) {
    failed = true;
    limit_address_space(RLIM_INFINITY);
    if (e.remedy().empty() || e.problem().find("memory") == std::string::npos) give_up(e.what());
  } catch (const std::exception& e) {
    limit_address_space(RLIM_INFINITY);
    give_up(fmt::format("no Error of this library: {}", e.what()));
  }
  limit_address_space(RLIM_INFINITY);
  if (failed && values_of(work) != before) give_up("a variable has changed");
  work.step();
  if (!before.empty() && values_of(work) == before) give_up("the step after it did nothing");
  std::_Exit(failed ? 1 : 0);
}

bool ended(int status) { return WIFEXITED(status) && WEXITSTATUS(status) <= 1; }
bool failed(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 1; }
bool worked(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

class Limits : public ::testing::TestWithParam<Work (*)()> {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_P(Limits, EndInAnError) {
  EXPECT_EXIT(run_within(GetParam(), 0), failed, "");
  for (const std::size_t room : {64 * KiB, 256 * KiB, MiB, 3 * MiB, 8 * MiB, 20 * MiB, 40 * MiB, 70 * MiB, 150 * MiB})
    EXPECT_EXIT(run_within(GetParam(), room), ended, "") << room;
  EXPECT_EXIT(run_within(GetParam(), 4096 * MiB), worked, "");
}

INSTANTIATE_TEST_SUITE_P(All, Limits, ::testing::Values(linear, convolution, loops, reading));

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

// More than any machine has is refused with its size, before anything is changed.
TEST(Memory, WhatNoMachineHasIsAnError) {
  const Tensor huge = full({std::int64_t{1} << 42}, 1);
  for (const std::string& message : {message_of([&] { static_cast<void>(huge.to_vector()); }), message_of([&] {
                                       std::ostringstream out;
                                       out << huge;
                                     }),
                                     message_of([&] { evaluate({huge + 1}); })}) {
    EXPECT_NE(message.find("no memory"), std::string::npos) << message;
    EXPECT_NE(message.find(std::to_string(std::int64_t{1} << 44)), std::string::npos) << message;
    EXPECT_NE(message.find("memory_test.cpp"), std::string::npos) << message;
  }
  EXPECT_EQ((tensor({1, 2}) + 1).to_vector(), (std::vector<float>{2, 3}));
}

}  // namespace
}  // namespace cotan
