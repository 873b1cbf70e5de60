// What each row computes, as functions: `rows::define_matmul(options, operand types)`.
#pragma once

#include <span>

#include "ops/row_options.h"
#include "ops/sum_rows.h"

namespace cotan::rows {

#define SUM(name_, Options_, ...) [[nodiscard]] SumDef define_##name_(const Options_& options, std::span<const OperandType> operands);
#define REDUCE(name_, Options_, ...) [[nodiscard]] ReduceSpec define_##name_(const Options_& options, std::span<const OperandType> operands);
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef SUM

}  // namespace cotan::rows
