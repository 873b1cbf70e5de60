// Sums as values: random ones, and what they compute by the definition.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "graph/builder.h"
#include "graph/sums/open_sum.h"
#include "tests/support/random_sum.h"
#include "tests/support/spec_text.h"

namespace cotan::testing {

// An open sum whose tensors are parameters, and their values.
struct ValuedSum {
  sums::OpenSum sum;
  std::vector<std::pair<Ref, DirectTensor>> values;
};

inline ValuedSum valued(const DirectSum& s, const std::string& name) {
  ValuedSum v{{s.spec, {}, {}, {f64, s.shape}}, {}};
  for (std::size_t k = 0; k < s.factors.size(); ++k) {
    v.sum.factors.push_back(graph::parameter(fmt::format("{}{}", name, k), f64, s.factors[k].shape));
    v.values.emplace_back(v.sum.factors.back(), s.factors[k]);
  }
  for (std::size_t t = 0; t < s.tables.size(); ++t) {
    v.sum.tables.push_back(graph::parameter(fmt::format("{}t{}", name, t), DType::i32, s.tables[t].shape));
    v.values.emplace_back(v.sum.tables.back(), s.tables[t]);
  }
  return v;
}

inline DirectTensor value_of(const sums::OpenSum& sum, const std::vector<std::pair<Ref, DirectTensor>>& values) {
  DirectSum s{sum.spec, sum.type.shape, {}, {}};
  auto find = [&](const Ref& r) {
    for (const auto& [ref, tensor] : values)
      if (ref == r) return tensor;
    throw InternalError("a tensor without a value");
  };
  for (const Ref& r : sum.factors) s.factors.push_back(find(r));
  for (const Ref& r : sum.tables) s.tables.push_back(find(r));
  return direct_sum(s);
}

}  // namespace cotan::testing
