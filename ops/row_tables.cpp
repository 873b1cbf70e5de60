// The rows of sums.def and reductions.def, expanded: their bodies as functions, and the tables of values that tests and documentation read.
#include <fmt/format.h>

#include <algorithm>

#include "ops/error.h"
#include "ops/row_define.h"
#include "ops/window_rows.h"

namespace cotan {
namespace rows {
namespace {

template <std::size_t N>
std::array<Operand, N> operands_of(std::span<const OperandType> types) {
  if (types.size() != N) throw InternalError(fmt::format("a row of {} operands given {}", N, types.size()));
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<Operand, N>{Operand{static_cast<int>(I), types[I].dtype, types[I].shape}...};
  }(std::make_index_sequence<N>{});
}

}  // namespace

#define OPTION(type, name, ...) [[maybe_unused]] const auto& name = options.name;
#define COTAN_SELF(x) x
#define COTAN_DEFINE(Result_, name_, Options_, operands_, options_, body_)                               \
  Result_ define_##name_([[maybe_unused]] const Options_& options, std::span<const OperandType> types) { \
    const Scope fresh;                                                                                   \
    const auto operands = operands_of<COTAN_COUNT operands_>(types);                                     \
    const auto& [COTAN_UNWRAP operands_] = operands;                                                     \
    COTAN_EACH(COTAN_SELF, COTAN_UNWRAP options_)                                                        \
    [[maybe_unused]] const auto sum = [&](Shape shape, Access output, Product product) {                 \
      return rows::sum(shape, std::move(output), std::move(product), operands);                          \
    };                                                                                                   \
    COTAN_UNWRAP body_                                                                                   \
  }
#define SUM(name_, Options_, operands_, options_, description_, oracle_, cases_, bad_cases_, ...) \
  COTAN_DEFINE(SumDef, name_, Options_, operands_, options_, (__VA_ARGS__))
#define REDUCE(name_, Options_, operands_, options_, description_, oracle_, cases_, bad_cases_, ...) \
  COTAN_DEFINE(ReduceSpec, name_, Options_, operands_, options_, (__VA_ARGS__))
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef SUM
#undef COTAN_DEFINE
#undef OPTION

}  // namespace rows

namespace {

using rows::absent;
using rows::booleans;
using rows::indices;
using rows::values;

#define OPTION(type, name, ...) attributes.set(#name, to_attribute(options.name));
#define SUM(name_, Options_, operands_, options_, ...)                 \
  Attributes attributes_of([[maybe_unused]] const Options_& options) { \
    Attributes attributes;                                             \
    COTAN_EACH(COTAN_SELF, COTAN_UNWRAP options_)                      \
    return attributes;                                                 \
  }
#define REDUCE SUM
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef SUM
#undef OPTION
#undef COTAN_SELF

template <class Def, class Options>
RowCase<Def> make_case(Def (*define)(const Options&, std::span<const rows::OperandType>), const Options& options, std::string error,
                       std::vector<rows::CaseOperand> operands) {
  return {attributes_of(options), std::move(operands), [=](std::span<const rows::OperandType> types) { return define(options, types); }, std::move(error)};
}

#define CASE(options_, ...) make_case(define, Options COTAN_UNWRAP options_, "", {__VA_ARGS__})
#define BAD(options_, error_, ...) make_case(define, Options COTAN_UNWRAP options_, error_, {__VA_ARGS__})
#define COTAN_CASES(Def_, name_, Options_, cases_, bad_cases_) \
  std::vector<RowCase<Def_>> name_##_cases() {                 \
    using Options = Options_;                                  \
    const auto define = &rows::define_##name_;                 \
    return {COTAN_UNWRAP cases_};                              \
  }                                                            \
  std::vector<RowCase<Def_>> name_##_bad_cases() {             \
    using Options = Options_;                                  \
    const auto define = &rows::define_##name_;                 \
    return {COTAN_UNWRAP bad_cases_};                          \
  }
#define SUM(name_, Options_, operands_, options_, description_, oracle_, cases_, bad_cases_, ...) COTAN_CASES(SumDef, name_, Options_, cases_, bad_cases_)
#define REDUCE(name_, Options_, operands_, options_, description_, oracle_, cases_, bad_cases_, ...) \
  COTAN_CASES(ReduceSpec, name_, Options_, cases_, bad_cases_)
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef SUM

#define COTAN_ROW(name_, Options_, operands_, options_, description_, oracle_, ...) \
  {#name_, description_, {COTAN_LIST(COTAN_QUOTE, COTAN_UNWRAP operands_)}, oracle_, attributes_of(Options_{}), name_##_cases, name_##_bad_cases},

}  // namespace

// Made when they are first asked for, which may be before main(), and never destroyed.
std::span<const SumRow> sum_rows() {
  static const auto& all = *new std::vector<SumRow>{
#define SUM COTAN_ROW
#include "ops/sums.def"
#undef SUM
  };
  return all;
}

std::span<const ReduceRow> reduce_rows() {
  static const auto& all = *new std::vector<ReduceRow>{
#define REDUCE COTAN_ROW
#include "ops/reductions.def"
#undef REDUCE
  };
  return all;
}

}  // namespace cotan
