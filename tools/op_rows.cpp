#include "tools/op_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "graph/composites/composites.h"
#include "ops/error.h"

namespace cotan::tools {
namespace {

// What a table says that is not among its values: the file it stands in, how options are declared, conventions and oracles as they are written.
struct Written {
  std::string_view file;
  void (*declare)(Op& op);
};

#define KINK(at, ...) op.conventions.push_back({#at, #__VA_ARGS__});
#define TIE(...) op.conventions.push_back({"", #__VA_ARGS__});
#define SMOOTH
#define ELEMENTWISE(name_, operands_, parameters_, value_, derivatives_, samples_, kinks_, oracle_, description_) \
  {__FILE__, []([[maybe_unused]] Op& op) {                                                                        \
     op.oracle = #oracle_;                                                                                        \
     kinks_                                                                                                       \
   }},
const Written written_elementwise[] = {
#include "ops/elementwise.def"
};
#undef ELEMENTWISE
#undef SMOOTH
#undef TIE
#undef KINK

#define OPTION(type, name, ...) op.options.push_back({#type, #name, #__VA_ARGS__});
#define COTAN_SELF(x) x
#define COTAN_WRITTEN(options_) {__FILE__, []([[maybe_unused]] Op& op) { COTAN_EACH(COTAN_SELF, COTAN_UNWRAP options_) }},
#define SUM(name_, Options_, operands_, options_, ...) COTAN_WRITTEN(options_)
#define REDUCE SUM
#define COMPOSITE(form_, name_, Options_, results_, operands_, options_, ...) COTAN_WRITTEN(options_)
const Written written_sums[] = {
#include "ops/sums.def"
};
const Written written_reductions[] = {
#include "ops/reductions.def"
};
const Written written_composites[] = {
#include "graph/composites/composites.def"
};
#undef COMPOSITE
#undef REDUCE
#undef SUM
#undef COTAN_WRITTEN
#undef COTAN_SELF
#undef OPTION

// The parts of "NAMED(SortResult, values, indices)".
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (char c : text)
    if (c == '(' || c == ',' || c == ')' || c == ' ') {
      if (!words.back().empty()) words.emplace_back();
    } else {
      words.back() += c;
    }
  if (words.back().empty()) words.pop_back();
  return words;
}

template <class Row>
Op begun(OpTable table, const Row& row, const Written& written) {
  Op op;
  op.table = table;
  op.family = std::filesystem::path(written.file).stem().string();
  op.name = row.name;
  op.description = row.description;
  op.operands.assign(row.operands.begin(), row.operands.end());
  op.optional.assign(row.operands.size(), false);
  op.result_type = "Tensor";
  written.declare(op);
  return op;
}

// The row on floating operands, conditions where it wants them: the first combination that its formula takes.
std::vector<rows::CaseOperand> operands_of(const ElementwiseRow& row, std::span<const double> parameters) {
  const std::size_t n = row.operands.size();
  for (std::size_t conditions = 0; conditions < (std::size_t{1} << n); ++conditions) {
    std::vector<DType> types;
    std::vector<rows::CaseOperand> operands;
    for (std::size_t k = 0; k < n; ++k) {
      operands.push_back((conditions >> k & 1) != 0 ? rows::booleans({3}) : rows::values({3}));
      types.push_back(operands.back().dtype(DType::f32));
    }
    try {
      static_cast<void>(formula_of(row, types, parameters));
      return operands;
    } catch (const Error&) {
      // not these types: try the next
    }
  }
  throw InternalError(fmt::format("{} takes neither floating operands nor conditions", row.name));
}

Op op_of(const ElementwiseRow& row, const Written& written) {
  Op op = begun(OpTable::elementwise, row, written);
  op.row = &row;
  const std::vector<double> parameters = parameters_of(row);
  Attributes attributes;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const ElementwiseRow::Parameter& p = row.parameters[i];
    op.options.push_back({"double", std::string(p.name), fmt::format("{}", p.standard)});
    attributes.set(std::string(p.name), parameters[i]);
  }
  const auto id = static_cast<ElementwiseId>(&row - elementwise_rows().data());
  op.cases.push_back({operands_of(row, parameters), std::move(attributes),
                      [id, parameters](std::span<const Ref> in) { return std::vector{graph::elementwise(id, in, parameters)}; }});
  return op;
}

Ref recorded(const SumDef& definition, std::span<const Ref> operands) { return graph::from_definition(definition, operands); }
Ref recorded(const ReduceSpec& spec, std::span<const Ref> operands) { return graph::reduce(spec, operands[0]); }

template <class Def>
std::vector<OpCase> cases_of(std::string_view name, std::vector<RowCase<Def>> cases) {
  std::vector<OpCase> all;
  for (RowCase<Def>& c : cases)
    all.push_back({std::move(c.operands), std::move(c.attributes), [name, define = std::move(c.define)](std::span<const Ref> in) {
                     const CallSite site(name, {});
                     return std::vector{recorded(define(graph::types_of(in)), in)};
                   }});
  return all;
}

template <class Def>
Op op_of(OpTable table, const Row<Def>& row, const Written& written) {
  Op op = begun(table, row, written);
  op.oracle = row.oracle;
  op.cases = cases_of(row.name, row.cases());
  op.bad_cases = cases_of(row.name, row.bad_cases());
  return op;
}

std::vector<OpCase> cases_of(std::vector<CompositeCase> cases, std::size_t visible) {
  std::vector<OpCase> all;
  for (CompositeCase& c : cases)
    all.push_back({std::move(c.operands), std::move(c.attributes), [visible, record = std::move(c.record)](std::span<const Ref> in) {
                     std::vector<Ref> results = record(in);
                     if (visible > 0) results.resize(std::min(results.size(), visible));
                     return results;
                   }});
  return all;
}

Op op_of(const CompositeRow& row, const Written& written) {
  Op op = begun(row.is_call ? OpTable::call : OpTable::composite, row, written);
  op.oracle = row.oracle;
  op.optional = row.optional;
  op.takes_list = row.takes_list;
  const std::vector<std::string> results = words_of(row.results);
  std::size_t visible = 1;
  if (results[0] == "MANY") {
    op.result_type = "std::vector<Tensor>";
    visible = 0;
  } else if (results[0] == "NAMED") {
    op.result_type = results.at(1);
    op.results.assign(results.begin() + 2, results.end());
    visible = op.results.size();
  }
  op.cases = cases_of(row.cases(), visible);
  op.bad_cases = cases_of(row.bad_cases(), visible);
  return op;
}

}  // namespace

std::vector<Op> all_ops() {
  std::vector<Op> all;
  for (std::size_t i = 0; i < elementwise_rows().size(); ++i) all.push_back(op_of(elementwise_rows()[i], written_elementwise[i]));
  for (std::size_t i = 0; i < sum_rows().size(); ++i) all.push_back(op_of(OpTable::sum, sum_rows()[i], written_sums[i]));
  for (std::size_t i = 0; i < reduce_rows().size(); ++i) all.push_back(op_of(OpTable::reduction, reduce_rows()[i], written_reductions[i]));
  for (std::size_t i = 0; i < composite_rows().size(); ++i) all.push_back(op_of(composite_rows()[i], written_composites[i]));
  return all;
}

std::vector<double> parameters_of(const ElementwiseRow& row) {
  std::vector<double> values;
  for (const ElementwiseRow::Parameter& p : row.parameters) values.push_back(std::isinf(p.standard) ? std::copysign(1, p.standard) : p.standard);
  return values;
}

std::vector<Ref> parameters_of(const Op& op, std::span<const rows::CaseOperand> operands) {
  std::vector<Ref> parameters;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    const std::string name = op.takes_list ? fmt::format("{}.{}", op.operands[0], k) : op.operands[k];
    const bool given = operands[k].kind != rows::CaseOperand::Kind::absent;
    parameters.push_back(given ? graph::parameter(name, operands[k].dtype(DType::f32), operands[k].shape) : Ref());
  }
  return parameters;
}

}  // namespace cotan::tools
