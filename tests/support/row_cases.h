// Every case of every row of sums.def, reductions.def and composites.def in one list, recorded by the function that users call: a new row is a new entry here
// without a line of test.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "graph/composites/composites.h"
#include "ops/row_macros.h"
#include "ops/sum_rows.h"

namespace cotan::testing {

struct RowTestCase {
  std::string table;  // "sums", "reductions", "composites"
  std::string row;
  std::size_t number = 0;          // among the row's cases, or among its bad cases
  std::vector<std::string> names;  // of the operands; those of a list are "tensors.0", "tensors.1", ...
  std::vector<rows::CaseOperand> operands;
  Attributes attributes;
  std::string_view oracle;  // in PyTorch; empty for a bad case
  std::function<std::vector<Ref>(std::span<const Ref>)> record;
  std::string error;  // of a bad case

  // "conv2d_2": for names of tests.
  [[nodiscard]] std::string name() const { return fmt::format("{}_{}", row, number); }
};

// How GoogleTest shows the parameter of a failed test.
inline void PrintTo(const RowTestCase& c, std::ostream* os) { *os << c.table << " row " << c.row << ", case " << c.number << c.attributes.text(); }

namespace row_records {

using Record = std::function<std::vector<Ref>(std::span<const Ref>)>;

// graph::name(operands..., options), told apart by the type of the options.
#define SUM(name_, Options_, operands_, ...)                                \
  inline Ref record_row(std::span<const Ref> in, const Options_& options) { \
    COTAN_BIND(in, COTAN_UNWRAP operands_)                                  \
    return graph::name_(COTAN_UNWRAP operands_, options);                   \
  }
#define REDUCE SUM
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef SUM

#define CASE(options_, ...) [](std::span<const Ref> in) { return std::vector<Ref>{record_row(in, Options COTAN_UNWRAP options_)}; }
#define BAD(options_, error_, ...) CASE(options_)
#define SUM(name_, Options_, operands_, options_, description_, oracle_, cases_, bad_cases_, ...)         \
  inline std::vector<Record> name_##_records(bool bad) {                                                  \
    using Options = Options_;                                                                             \
    return bad ? std::vector<Record>{COTAN_UNWRAP bad_cases_} : std::vector<Record>{COTAN_UNWRAP cases_}; \
  }
#define REDUCE SUM
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef SUM
#undef BAD
#undef CASE

inline const std::vector<std::vector<Record> (*)(bool)>& sum_records() {
  static const std::vector<std::vector<Record> (*)(bool)> all = {
#define SUM(name_, ...) name_##_records,
#include "ops/sums.def"
#undef SUM
  };
  return all;
}

inline const std::vector<std::vector<Record> (*)(bool)>& reduce_records() {
  static const std::vector<std::vector<Record> (*)(bool)> all = {
#define REDUCE(name_, ...) name_##_records,
#include "ops/reductions.def"
#undef REDUCE
  };
  return all;
}

}  // namespace row_records

template <class Table>
void append_cases(std::vector<RowTestCase>& all, const std::string& name, const Table& table,
                  const std::vector<std::vector<row_records::Record> (*)(bool)>& records, bool bad) {
  for (std::size_t r = 0; r < table.size(); ++r) {
    const auto cases = bad ? table[r].bad_cases() : table[r].cases();
    const auto record = records[r](bad);
    for (std::size_t i = 0; i < cases.size(); ++i)
      all.push_back({name,
                     std::string(table[r].name),
                     i,
                     {table[r].operands.begin(), table[r].operands.end()},
                     cases[i].operands,
                     cases[i].attributes,
                     table[r].oracle,
                     record[i],
                     cases[i].error});
  }
}

// The operands of a case as parameters of these names and kinds; empty for those left out.
[[nodiscard]] inline std::vector<Ref> parameters_of(std::span<const rows::CaseOperand> operands, DType floating = DType::f32) {
  std::vector<Ref> parameters;
  for (std::size_t k = 0; k < operands.size(); ++k)
    parameters.push_back(
        operands[k].kind == rows::CaseOperand::Kind::absent ? Ref() : graph::parameter(fmt::format("p{}", k), operands[k].dtype(floating), operands[k].shape));
  return parameters;
}

// All cases, or all bad ones, of all tables.
[[nodiscard]] inline std::vector<RowTestCase> row_test_cases(bool bad = false) {
  std::vector<RowTestCase> all;
  append_cases(all, "sums", sum_rows(), row_records::sum_records(), bad);
  append_cases(all, "reductions", reduce_rows(), row_records::reduce_records(), bad);
  for (const CompositeRow& row : composite_rows()) {
    const auto cases = bad ? row.bad_cases() : row.cases();
    for (std::size_t i = 0; i < cases.size(); ++i) {
      std::vector<std::string> names(row.operands.begin(), row.operands.end());
      if (row.takes_list) {
        names.clear();
        for (std::size_t k = 0; k < cases[i].operands.size(); ++k) names.push_back(fmt::format("{}.{}", row.operands[0], k));
      }
      all.push_back(
          {"composites", std::string(row.name), i, std::move(names), cases[i].operands, cases[i].attributes, row.oracle, cases[i].record, cases[i].error});
    }
  }
  return all;
}

[[nodiscard]] inline std::string case_name(const ::testing::TestParamInfo<RowTestCase>& info) { return info.param.name(); }

}  // namespace cotan::testing
