// The layers of make_layers.py, made from their stored description.
#pragma once

#include <cotan/cotan.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace cotan::testing {

// A layer and how it is called.
struct Model {
  nn::Module module;
  std::function<std::vector<Tensor>(const std::vector<Tensor>&)> call;
};

// All stored cases.
[[nodiscard]] const std::vector<nlohmann::json>& stored_layers();

// How PyTorch prints layers: their descriptions, each with a text (make_texts.py stores them).
[[nodiscard]] const std::vector<nlohmann::json>& stored_texts();

// The layer of a case, with parameters of that type. An option that the test does not know is a failure.
[[nodiscard]] Model model_of(const nlohmann::json& stored, DType dtype);

// The numbers of tensor k, sin(1.7 n + 2.3 k + 0.5), times a factor, plus an offset.
[[nodiscard]] std::vector<double> formula_values(const Shape& shape, int k, double factor = 1, double offset = 0);

// The state that the stored numbers were computed with.
[[nodiscard]] nn::StateDict stored_state(const nlohmann::json& stored, DType dtype);

// The inputs of a run.
[[nodiscard]] std::vector<Tensor> stored_inputs(const nlohmann::json& stored, std::size_t run, DType dtype);

[[nodiscard]] inline Shape shape_of(const nlohmann::json& sizes) { return Shape(std::span<const std::int64_t>(sizes.get<std::vector<std::int64_t>>())); }

}  // namespace cotan::testing
