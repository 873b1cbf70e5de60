// Every layer against PyTorch's numbers (make_layers.py stores them): names and shapes of the state, outputs, gradients, buffers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/nn/stored_layers.h"
#include "tests/support/close.h"

namespace cotan::testing {
namespace {

using nlohmann::json;

std::vector<double> numbers(const Tensor& x) { return cast(x, f64).to_vector<double>(); }

Failures compared(const std::string& what, const Tensor& got, const json& expected, double tolerance) {
  return differences(what, numbers(got), expected.get<std::vector<double>>(), tolerance);
}

// One run: mode, inputs, outputs, gradients by parameters and inputs, buffers.
Failures run_failures(const Model& m, const json& stored, std::size_t index, DType dtype, double tolerance) {
  const json& run = stored.at("runs").at(index);
  Failures failures;
  m.module.train(run.at("training").get<bool>());
  const std::vector<Tensor> inputs = stored_inputs(stored, index, dtype);
  const std::vector<Tensor> outputs = m.call(inputs);
  if (outputs.size() != run.at("outputs").size()) return {fmt::format("{} outputs, expected {}", outputs.size(), run.at("outputs").size())};

  std::vector<Tensor> cotangents;
  std::vector<Operand> wrt;
  std::vector<std::string> names;
  std::vector<json> expected;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const json& out = run.at("outputs")[i];
    if (outputs[i].shape() != shape_of(out.at("shape"))) failures.push_back(fmt::format("output {} of shape {}", i, outputs[i].shape().text()));
    cotangents.push_back(cast(tensor(formula_values(outputs[i].shape(), static_cast<int>(40 + i)), outputs[i].shape()), dtype));
  }
  if (!failures.empty()) return failures;
  for (const auto& [name, parameter] : m.module.named_parameters()) {
    wrt.emplace_back(parameter);
    names.push_back("the gradient of " + name);
    expected.push_back(run.at("gradients").at(name));
  }
  for (const Tensor& x : inputs) {
    if (!is_floating(x.dtype())) continue;
    expected.push_back(run.at("input_gradients").at(wrt.size() - run.at("gradients").size()));
    names.push_back("the gradient of an input");
    wrt.emplace_back(x);
  }
  std::vector<Tensor> all = vjp(outputs, cotangents, wrt);
  all.insert(all.end(), outputs.begin(), outputs.end());
  evaluate(all);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    append(failures, compared(fmt::format("output {}", i), outputs[i], run["outputs"][i].at("values"), tolerance));
  for (std::size_t i = 0; i < wrt.size(); ++i) append(failures, compared(names[i], all[i], expected[i], tolerance));
  for (const auto& [name, buffer] : m.module.named_buffers()) append(failures, compared(name, buffer.value(), run.at("buffers").at(name), tolerance));
  for (std::string& f : failures) f = fmt::format("run {}: {}", index, f);
  return failures;
}

Failures layer_failures(const json& stored, DType dtype, double tolerance) {
  const Model m = model_of(stored, dtype);
  m.module.load(stored_state(stored, dtype));
  Failures failures;
  for (std::size_t i = 0; i < stored.at("runs").size(); ++i) append(failures, run_failures(m, stored, i, dtype, tolerance));
  return failures;
}

class StoredLayer : public ::testing::TestWithParam<std::size_t> {
 protected:
  [[nodiscard]] static const json& stored() { return stored_layers()[GetParam()]; }
};

TEST_P(StoredLayer, HasPyTorchsStateUnderPyTorchsName) {
  const Model m = model_of(stored(), f32);
  EXPECT_EQ(m.module.kind(), stored().at("layer").get<std::string>());
  std::map<std::string, Shape> expected, got;
  for (const json& entry : stored().at("state")) expected.emplace(entry[0].get<std::string>(), shape_of(entry[1]));
  for (const auto& [name, value] : m.module.state()) got.emplace(name, value.shape());
  EXPECT_EQ(got, expected);
}

TEST_P(StoredLayer, ComputesPyTorchsNumbersInDoublePrecision) { EXPECT_TRUE(none(layer_failures(stored(), f64, stored().value("tolerance", 1e-10)))); }
TEST_P(StoredLayer, IsNearInSinglePrecision) { EXPECT_TRUE(none(layer_failures(stored(), f32, 2e-4))); }

// verify() finds nothing in a layer's outputs and gradients.
TEST_P(StoredLayer, IsVerified) {
  const Model m = model_of(stored(), f32);
  m.module.load(stored_state(stored(), f32));
  for (std::size_t i = 0; i < stored().at("runs").size(); ++i) {
    m.module.train(stored()["runs"][i].at("training").get<bool>());
    const std::vector<Tensor> inputs = stored_inputs(stored(), i, f32);
    const Verification v = verify(
        [&] {
          std::vector<Tensor> outputs = m.call(inputs);
          std::vector<Tensor> cotangents;
          std::vector<Operand> wrt;
          for (std::size_t k = 0; k < outputs.size(); ++k)
            cotangents.push_back(cast(tensor(formula_values(outputs[k].shape(), static_cast<int>(40 + k)), outputs[k].shape()), f32));
          for (const auto& [name, parameter] : m.module.named_parameters()) wrt.emplace_back(parameter);
          for (const Tensor& x : inputs)
            if (is_floating(x.dtype())) wrt.emplace_back(x);
          for (const Tensor& g : vjp(outputs, cotangents, wrt)) outputs.push_back(g);
          return outputs;
        },
        {}, {.relative = 2e-4, .absolute = 2e-6});
    EXPECT_TRUE(v.passed) << v.text();
  }
}

INSTANTIATE_TEST_SUITE_P(PyTorch, StoredLayer, ::testing::Range(std::size_t{0}, stored_layers().size()),
                         [](const auto& info) { return stored_layers()[info.param].at("name").template get<std::string>(); });

TEST(StoredLayers, AreOfEveryKind) {
  std::set<std::string> kinds;
  for (const json& c : stored_layers()) kinds.insert(c.at("layer"));
  EXPECT_EQ(stored_layers().size(), 90U);
  EXPECT_EQ(kinds.size(), 44U);
}

TEST(StoredLayers, AFaultIsNoticed) {
  json stored = stored_layers().at(0);
  const double right = stored["runs"][0]["gradients"]["weight"][1];
  stored["runs"][0]["gradients"]["weight"][1] = right + 1e-6;
  EXPECT_TRUE(caught(layer_failures(stored, f64, 1e-10)));
}

}  // namespace
}  // namespace cotan::testing
