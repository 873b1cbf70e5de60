// Every row on every combination of types: it records and computes what the oracle says, or it throws an error that names a type and a remedy.
#include <gtest/gtest.h>

#include "ops/error.h"
#include "tests/support/elementwise_checks.h"

namespace cotan::testing {
namespace {

constexpr DType all_types[] = {f32, f64, bf16, i32, i64, u8, u32, boolean};

std::vector<std::vector<DType>> combinations(std::size_t operands) {
  std::vector<std::vector<DType>> all{{}};
  for (std::size_t k = 0; k < operands; ++k) {
    std::vector<std::vector<DType>> longer;
    for (const auto& one : all)
      for (DType t : all_types) {
        longer.push_back(one);
        longer.back().push_back(t);
      }
    all = std::move(longer);
  }
  return all;
}

bool names_one_of(const std::string& text, std::span<const DType> types) {
  return std::any_of(types.begin(), types.end(), [&](DType t) { return text.find(name_of(t)) != std::string::npos; });
}

// Small whole numbers, which every type but bool holds.
Point whole_point(Random& random, std::span<const DType> types) {
  Point p;
  for (DType t : types) p.push_back(static_cast<double>(random.integer(t == i32 || t == i64 ? -9 : 0, t == boolean ? 1 : 9)));
  return p;
}

class ElementwiseDtypes : public ::testing::TestWithParam<std::size_t> {};

TEST_P(ElementwiseDtypes, RecordsOrSaysWhyNot) {
  const ElementwiseRow& row = elementwise_rows()[GetParam()];
  Random random(row.name, 2);
  int recorded = 0;
  for (const std::vector<DType>& types : combinations(row.operands.size())) {
    FormulaRef f;
    try {
      f = formula_of(row, types, standard_parameters(row));
    } catch (const Error& e) {
      EXPECT_TRUE(names_one_of(e.problem(), types)) << row.name << ": " << e.what();
      EXPECT_FALSE(e.remedy().empty()) << row.name << ": " << e.what();
      continue;
    }
    ++recorded;
    EXPECT_EQ(std::count(types.begin(), types.end(), bf16), 0) << row.name << " computes with bf16";
    // Types never mix unseen: operands of the same kind of role have one type. Only where's condition may be bool beside other types.
    for (std::size_t k = 1; k + 1 < types.size(); ++k) EXPECT_EQ(types[k], types.back()) << row.name;
    if (is_floating(types.back())) continue;
    const ElementwiseCase c = case_of(row, types);
    for (int i = 0; i < 32; ++i) {
      const Point p = whole_point(random, types);
      const double wanted = c.oracle(p);
      if (!std::isfinite(wanted) || round_to(f->dtype(), wanted) != wanted) continue;  // wraps or truncates: the type's business
      EXPECT_EQ(value_of(f, p), wanted) << row.name << " of " << name_of(types.back()) << " at " << list_text(p);
    }
  }
  EXPECT_GT(recorded, 0) << row.name << " takes no types at all";
}

// A derivative exists by floating operands only, and has the type of the value.
TEST_P(ElementwiseDtypes, DerivativesAreTyped) {
  const ElementwiseRow& row = elementwise_rows()[GetParam()];
  for (DType floating : {DType::f32, DType::f64}) {
    const auto types = signature_of(row, floating);
    ASSERT_TRUE(types.has_value());
    const ElementwiseCase c = case_of(row, *types);
    for (std::size_t k = 0; k < types->size(); ++k) {
      if (!c.derivatives[k]) continue;
      EXPECT_TRUE(is_floating((*types)[k]));
      EXPECT_EQ(c.derivatives[k]->dtype(), c.formula->dtype());
      EXPECT_EQ(c.derivatives[k]->operands.size(), types->size() + 1) << "a derivative reads the operands and the value";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ElementwiseDtypes, ::testing::Range(std::size_t{0}, elementwise_rows().size()),
                         [](const auto& info) { return std::string(elementwise_rows()[info.param].name); });

TEST(DtypeErrors, NameBothTypesAndTheCast) {
  for (DType a : all_types)
    for (DType b : all_types) {
      if (a == b) continue;
      const DType mixed[] = {a, b};
      try {
        static_cast<void>(formula_of(ElementwiseId::add, mixed));
        FAIL() << name_of(a) << " + " << name_of(b) << " was recorded";
      } catch (const Error& e) {
        EXPECT_EQ(e.problem(), fmt::format("'add' of {} and {}", name_of(a), name_of(b)));
        for (DType to : {a, b}) EXPECT_EQ(e.remedy().find(fmt::format("cast(x, {})", name_of(to))) != std::string::npos, to != bf16) << e.what();
      }
    }
}

TEST(DtypeErrors, StorageNamesTheTypeAndTheCast) {
  const DType both[] = {bf16, bf16};
  try {
    static_cast<void>(formula_of(ElementwiseId::add, both));
    FAIL() << "bf16 + bf16 was recorded";
  } catch (const Error& e) {
    EXPECT_EQ(e.problem(), "'add' of bf16, which is for storage only");
    EXPECT_EQ(e.remedy(), "Compute in f32: write cast(x, f32)");
  }
}

}  // namespace
}  // namespace cotan::testing
