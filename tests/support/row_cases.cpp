// The rows' cases, expanded once for all test programs.
#include "tests/support/row_cases.h"

#include "ops/row_macros.h"

namespace cotan::testing {
namespace {
namespace row_records {

using Record = std::function<std::vector<Ref>(std::span<const Ref>)>;

// graph::name(operands..., options), told apart by the type of the options.
#define SUM(name_, Options_, operands_, ...)                         \
  Ref record_row(std::span<const Ref> in, const Options_& options) { \
    COTAN_BIND(in, COTAN_UNWRAP operands_)                           \
    return graph::name_(COTAN_UNWRAP operands_, options);            \
  }
#define REDUCE SUM
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef SUM

#define CASE(options_, ...) [](std::span<const Ref> in) { return std::vector<Ref>{record_row(in, Options COTAN_UNWRAP options_)}; }
#define BAD(options_, error_, ...) CASE(options_)
#define SUM(name_, Options_, operands_, options_, description_, oracle_, cases_, bad_cases_, ...)         \
  std::vector<Record> name_##_records(bool bad) {                                                         \
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

const std::vector<std::vector<Record> (*)(bool)>& sum_records() {
  static const std::vector<std::vector<Record> (*)(bool)> all = {
#define SUM(name_, ...) name_##_records,
#include "ops/sums.def"
#undef SUM
  };
  return all;
}

const std::vector<std::vector<Record> (*)(bool)>& reduce_records() {
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

}  // namespace

std::vector<RowTestCase> row_test_cases(bool bad) {
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

}  // namespace cotan::testing
