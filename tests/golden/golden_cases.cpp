#include "tests/golden/golden_cases.h"

#include <set>

#include "tests/support/elementwise_points.h"
#include "tests/support/row_cases.h"

namespace cotan::testing {
namespace {

using nlohmann::json;

// Cotangents for the floating results, tangents for the floating operands.
void add_directions(GoldenCase& c) {
  Random random(c.name, 8);
  const std::vector<Ref> wrt = c.inputs.floating();
  for (std::size_t i = 0; i < c.results.size(); ++i) {
    const Ref& r = c.results[i];
    c.cotangents.push_back(
        is_floating(r.dtype()) ? c.inputs.add(fmt::format("cotangent{}", i), r.dtype(), r.shape(), random_values(random, r.shape().elements())) : Ref());
  }
  for (std::size_t i = 0; i < wrt.size(); ++i)
    c.tangents.push_back(c.inputs.add(fmt::format("tangent{}", i), wrt[i].dtype(), wrt[i].shape(), random_values(random, wrt[i].shape().elements())));
}

GoldenCase row_case(const RowTestCase& row) {
  GoldenCase c{row.table, row.row, row.name(), std::string(row.oracle), row.attributes, {}, {}, {}, {}, {}, {}};
  Random random(c.name, 7);
  for (std::size_t k = 0; k < row.operands.size(); ++k) {
    c.operand_names.emplace_back(row.names[k]);
    c.operands.push_back(c.inputs.add_random(c.operand_names.back(), row.operands[k], random));
  }
  c.results = row.record(c.operands);
  add_directions(c);
  return c;
}

// A vector of 64 points or more, random and special ones, ties and zeros included: PyTorch decides the conventions there.
GoldenCase elementwise_case(const ElementwiseRow& row) {
  GoldenCase c{"elementwise", std::string(row.name), std::string(row.name), "", {}, {}, {}, {}, {}, {}, {}};
  const std::vector<DType> types = signature_of(row).value();
  std::vector<Point> points = special_points(row, types);
  const std::size_t missing = points.size() < 48 ? 64 - points.size() : 16;
  for (const Point& p : sample_points(row, types, missing)) points.push_back(p);
  const auto n = static_cast<std::int64_t>(points.size());
  for (std::size_t k = 0; k < types.size(); ++k) {
    std::vector<double> column;
    for (const Point& p : points) column.push_back(p[k]);
    c.operand_names.emplace_back(row.operands[k]);
    c.operands.push_back(c.inputs.add(c.operand_names.back(), types[k], {n}, std::move(column)));
  }
  const std::vector<double> parameters = standard_parameters(row);
  for (std::size_t i = 0; i < parameters.size(); ++i) c.attributes.set(std::string(row.parameters[i].name), parameters[i]);
  c.results = {graph::elementwise(static_cast<ElementwiseId>(&row - elementwise_rows().data()), c.operands, parameters)};
  add_directions(c);
  return c;
}

json attribute_json(const Attribute& a) {
  return std::visit(
      [](const auto& v) -> json {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::monostate>)
          return nullptr;
        else if constexpr (std::is_same_v<std::decay_t<decltype(v)>, double>)
          return std::isinf(v) ? json(v > 0 ? "inf" : "-inf") : json(v);  // JSON has no word for it
        else
          return v;
      },
      a);
}

json array_json(const Inputs& inputs, const Ref& parameter) {
  for (std::size_t i = 0; i < inputs.parameters().size(); ++i) {
    if (!(inputs.parameters()[i] == parameter)) continue;
    const reference::Array& a = inputs.arrays()[i];
    return {{"dtype", std::string(name_of(a.dtype))}, {"shape", std::vector<std::int64_t>(a.shape.begin(), a.shape.end())}, {"values", a.values}};
  }
  return nullptr;
}

}  // namespace

std::vector<GoldenCase> golden_cases() {
  std::vector<GoldenCase> all;
  for (const ElementwiseRow& row : elementwise_rows()) all.push_back(elementwise_case(row));
  for (const RowTestCase& row : row_test_cases()) all.push_back(row_case(row));
  return all;
}

json described(const GoldenCase& c) {
  json j{{"table", c.table}, {"row", c.row}, {"name", c.name}, {"oracle", c.oracle}, {"options", json::object()}};
  for (const auto& [name, value] : c.attributes) j["options"][name] = attribute_json(value);
  j["operands"] = json::array();
  for (std::size_t k = 0; k < c.operand_names.size(); ++k) {
    json operand = c.operands[k] ? array_json(c.inputs, c.operands[k]) : json::object();  // empty: left out
    operand["name"] = c.operand_names[k];
    j["operands"].push_back(std::move(operand));
  }
  for (const Ref& r : c.cotangents) j["cotangents"].push_back(r ? array_json(c.inputs, r) : json());
  j["tangents"] = json::array();
  for (const Ref& r : c.tangents) j["tangents"].push_back(array_json(c.inputs, r));
  return j;
}

std::string fingerprint(const json& description) { return fmt::format("{:016x}", hash_of(std::string_view(description.dump()))); }

const std::vector<EmptyCase>& empty_cases() {
  static const auto* all = [] {
    auto* cases = new std::vector<EmptyCase>;
    for (const RowTestCase& row : row_test_cases()) {
      std::set<std::vector<std::vector<std::int64_t>>> seen;
      const auto add = [&](const std::string& what, const std::function<bool(std::size_t, std::size_t)>& emptied) {
        EmptyCase c{fmt::format("{}_{}", row.name(), what), row};
        std::vector<std::vector<std::int64_t>> shapes;
        for (std::size_t k = 0; k < row.operands.size(); ++k) {
          Shape& shape = c.row.operands[k].shape;
          for (std::size_t d = 0; d < shape.rank(); ++d)
            if (emptied(k, d)) shape[d] = 0;
          shapes.emplace_back(shape.begin(), shape.end());
        }
        if (seen.insert(shapes).second) cases->push_back(std::move(c));
      };
      std::set<std::int64_t> sizes;
      for (std::size_t k = 0; k < row.operands.size(); ++k) {
        const Shape& shape = row.operands[k].shape;
        for (std::size_t d = 0; d < shape.rank(); ++d) {
          sizes.insert(shape[d]);
          std::string name = fmt::format("{}{}", row.names[k], d);
          std::erase(name, '.');
          add(name, [&](std::size_t operand, std::size_t dim) { return operand == k && dim == d; });
        }
      }
      for (const std::int64_t size : sizes)
        add(std::to_string(size), [&](std::size_t operand, std::size_t dim) { return row.operands[operand].shape[dim] == size; });
    }
    return cases;
  }();
  return *all;
}

std::vector<Ref> add_operands(const EmptyCase& c, Inputs& inputs, DType floating) {
  Random random(c.name, 7);
  std::vector<Ref> operands;
  for (std::size_t k = 0; k < c.row.operands.size(); ++k) operands.push_back(inputs.add_random(c.row.names[k], c.row.operands[k], random, floating));
  return operands;
}

json described(const EmptyCase& c) {
  GoldenCase with_operands{"empty", c.row.row, c.name, std::string(c.row.oracle), c.row.attributes, c.row.names, {}, {}, {}, {}, {}};
  with_operands.operands = add_operands(c, with_operands.inputs, f64);
  return described(with_operands);
}

}  // namespace cotan::testing
