// A hundred steps of every optimizer against PyTorch's, in float64 (make_trajectories.py stores them), and loosely in f32.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/optim/problem.h"
#include "tests/support/close.h"

namespace cotan::testing {
namespace {

using nlohmann::json;

// Options by name. A name that nobody takes is a failure.
class Reader {
 public:
  explicit Reader(const json& options) : options_(options) {}
  ~Reader() { EXPECT_EQ(taken_, options_.size()) << "options that the test does not know: " << options_; }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  template <class T>
  Reader& take(const char* name, T& field) {
    if (!options_.contains(name)) return *this;
    ++taken_;
    field = options_.at(name).get<T>();
    return *this;
  }

 private:
  const json& options_;
  std::size_t taken_ = 0;
};

void read(Reader& r, optim::SGDOptions& o) { r.take("momentum", o.momentum).take("dampening", o.dampening).take("nesterov", o.nesterov); }
void read(Reader& r, optim::AdagradOptions& o) {
  r.take("lr_decay", o.lr_decay).take("initial_accumulator_value", o.initial_accumulator_value).take("eps", o.eps);
}
void read(Reader& r, optim::RMSpropOptions& o) { r.take("alpha", o.alpha).take("eps", o.eps).take("momentum", o.momentum).take("centered", o.centered); }
void read(Reader& r, optim::AdadeltaOptions& o) { r.take("rho", o.rho).take("eps", o.eps); }
void read(Reader& r, optim::AdamOptions& o) { r.take("betas", o.betas).take("eps", o.eps).take("amsgrad", o.amsgrad); }
void read(Reader& r, optim::AdamWOptions& o) { r.take("betas", o.betas).take("eps", o.eps).take("amsgrad", o.amsgrad); }

template <class Options>
Options options_of(const json& given) {
  Options o;
  Reader r(given);
  r.take("lr", o.lr).take("weight_decay", o.weight_decay).take("maximize", o.maximize);
  read(r, o);
  return o;
}

template <class Kind, class Options>
std::unique_ptr<optim::Optimizer> made(const json& c, const Problem& p) {
  if (!c.contains("second")) return std::make_unique<Kind>(p.parameters(), options_of<Options>(c.at("options")));
  auto optimizer = std::make_unique<Kind>(std::vector<Variable>{p.w1, p.w2}, options_of<Options>(c.at("options")));
  optimizer->add_param_group({p.b1, p.scale}, options_of<Options>(c.at("second")));
  return optimizer;
}

std::unique_ptr<optim::Optimizer> optimizer_of(const json& c, const Problem& p) {
  const std::string kind = c.at("optimizer");
  if (kind == "SGD") return made<optim::SGD, optim::SGDOptions>(c, p);
  if (kind == "Adagrad") return made<optim::Adagrad, optim::AdagradOptions>(c, p);
  if (kind == "RMSprop") return made<optim::RMSprop, optim::RMSpropOptions>(c, p);
  if (kind == "Adadelta") return made<optim::Adadelta, optim::AdadeltaOptions>(c, p);
  if (kind == "Adam") return made<optim::Adam, optim::AdamOptions>(c, p);
  if (kind == "AdamW") return made<optim::AdamW, optim::AdamWOptions>(c, p);
  throw std::runtime_error("an optimizer that the test does not know: " + kind);
}

optim::ClipNormOptions clip_options(const json& clip) {
  optim::ClipNormOptions o;
  if (clip.contains("norm_type")) o.norm_type = clip["norm_type"].is_string() ? std::numeric_limits<double>::infinity() : clip["norm_type"].get<double>();
  return o;
}

const std::vector<json>& cases() {
  static const auto* all = [] {
    auto* read = new std::vector<json>;
    std::ifstream file(COTAN_SOURCE_DIR "/tests/optim/trajectories.jsonl");
    for (std::string line; std::getline(file, line);) read->push_back(json::parse(line));
    return read;
  }();
  return *all;
}

// Takes the steps and compares wherever PyTorch's parameters are stored.
void follow(const json& c, DType dtype, double tolerance) {
  const Problem p(dtype);
  const auto optimizer = optimizer_of(c, p);
  const std::uint64_t compiled = cache_statistics().misses;
  std::uint64_t compiled_by_steps = 0;
  constexpr int every = 10;
  ASSERT_EQ(c.at("after").size(), 10U);
  for (int step = 0; step < 100; ++step) {
    if (step == 50 && c.contains("lr_from_50")) optimizer->set_lr(c["lr_from_50"].get<double>());
    p.loss().backward();
    Tensor norm;
    if (c.contains("clip_norm")) norm = optim::clip_grad_norm_(p.parameters(), c["clip_norm"].at("max_norm").get<double>(), clip_options(c["clip_norm"]));
    if (c.contains("clip_value")) optim::clip_grad_value_(p.parameters(), c["clip_value"].get<double>());
    const EvaluationReport report = optimizer->step();
    if (!report.cache_hit) ++compiled_by_steps;
    EXPECT_EQ(report.in_place_updates, report.assignments) << "at step " << step;
    if ((step + 1) % every != 0) continue;
    const auto at = static_cast<std::size_t>(step / every);
    const Failures failures = differences(fmt::format("after {} steps", step + 1), p.values(), c["after"][at].get<std::vector<double>>(), tolerance);
    EXPECT_TRUE(failures.empty()) << ::testing::PrintToString(failures);
    if (!failures.empty()) return;
    if (norm.defined()) {
      EXPECT_TRUE(close(cast(norm, f64).item<double>(), c["norms"][at].get<double>(), tolerance));
    }
  }
  EXPECT_LE(compiled_by_steps, 1U);
  EXPECT_LE(cache_statistics().misses - compiled, 8U) << "the step, and reading each parameter";
}

class Trajectory : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Trajectory, IsPyTorchsInDoublePrecision) { follow(cases()[GetParam()], f64, 1e-10); }
TEST_P(Trajectory, IsNearInSinglePrecision) { follow(cases()[GetParam()], f32, 2e-3); }

INSTANTIATE_TEST_SUITE_P(Stored, Trajectory, ::testing::Range(std::size_t{0}, cases().size()),
                         [](const auto& info) { return cases()[info.param].at("name").template get<std::string>(); });

TEST(Trajectories, AreStoredForEveryKind) {
  std::map<std::string, int> count;
  for (const json& c : cases()) ++count[c.at("optimizer")];
  EXPECT_EQ(count.size(), kinds);
  EXPECT_GE(cases().size(), 38U);
}

}  // namespace
}  // namespace cotan::testing
