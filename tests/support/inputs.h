// Parameters with values: a graph recorded over them is run on the reference backend.
#pragma once

#include <fmt/format.h>

#include <string>

#include "backends/reference/reference.h"
#include "graph/builder.h"
#include "ops/sum_rows.h"
#include "tests/support/random.h"

namespace cotan::testing {

class Inputs {
 public:
  // A parameter of that name and type, with these values (row-major).
  Ref add(const std::string& name, DType dtype, const Shape& shape, std::vector<double> values) {
    const Ref p = graph::parameter(name, dtype, shape);
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      if (parameters_[i] == p) throw InternalError(fmt::format("two inputs of the name {}", name));
    parameters_.push_back(p);
    arrays_.push_back({dtype, shape, std::move(values)});
    return p;
  }
  // The same with random values: floating ones in [-1, 1), integers in [0, below).
  Ref add_random(const std::string& name, const rows::CaseOperand& type, Random& random, DType floating = DType::f64) {
    if (type.below > 0) return add(name, DType::i32, type.shape, random_integers(random, type.shape.elements(), 0, type.below - 1));
    return add(name, floating, type.shape, random_values(random, type.shape.elements()));
  }

  // What these results come to.
  [[nodiscard]] std::vector<reference::Array> run(std::span<const Ref> results) const {
    Function f;
    f.name = "test";
    f.parameters = parameters_;
    f.results.assign(results.begin(), results.end());
    return reference::evaluate(f, arrays_);
  }
  [[nodiscard]] std::vector<double> run(const Ref& result) const { return run(std::span(&result, 1))[0].values; }

  [[nodiscard]] const std::vector<Ref>& parameters() const { return parameters_; }
  [[nodiscard]] std::vector<reference::Array>& arrays() { return arrays_; }
  [[nodiscard]] const std::vector<reference::Array>& arrays() const { return arrays_; }
  // The parameters that have gradients.
  [[nodiscard]] std::vector<Ref> floating() const {
    std::vector<Ref> all;
    for (const Ref& p : parameters_)
      if (is_floating(p.dtype())) all.push_back(p);
    return all;
  }

 private:
  std::vector<Ref> parameters_;
  std::vector<reference::Array> arrays_;
};

}  // namespace cotan::testing
