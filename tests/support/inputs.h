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
  // The same with random values of the kind that the case asks for; an empty Ref for an operand left out.
  Ref add_random(const std::string& name, const rows::CaseOperand& type, Random& random, DType floating = DType::f64) {
    using Kind = rows::CaseOperand::Kind;
    if (type.kind == Kind::absent) return {};
    const std::int64_t count = type.shape.elements();
    std::vector<double> drawn = type.kind == Kind::indices    ? random_integers(random, count, 0, type.below - 1)
                                : type.kind == Kind::booleans ? random_integers(random, count, 0, 1)
                                                              : random_values(random, count, type.low, type.high);
    return add(name, type.dtype(floating), type.shape, std::move(drawn));
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
