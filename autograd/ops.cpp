#include "autograd/ops.h"

#include <fmt/format.h>

#include "autograd/random.h"
#include "autograd/record.h"
#include "graph/composites/composites.h"
#include "ops/error.h"

namespace cotan {

Ref number_operand(const Operand& number, DType dtype) {
  const double value = number.number();
  if (!number.is_exact() && !is_floating(dtype))
    fail(fmt::format("an integer near {:.0f} beside a tensor of {}: numbers are exact up to 2^53 only", value, name_of(dtype)),
         "Make it a tensor of its own, with Tensor::from");
  if (!takes_number(dtype, value))
    fail(fmt::format("the number {} beside a tensor of {}", value, name_of(dtype)), "Cast the tensor to f32 first, or give a whole number in range");
  if (value == 0 || value == 1 || value == -1) return graph::fill(value, dtype, {});
  return graph::scalar(value, dtype);
}

void resolve(std::span<const Operand> operands, std::span<Ref> refs) {
  DType dtype = DType::f32;
  bool found = false;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    if (operands[k].is_number() || operands[k].is_absent()) continue;
    refs[k] = use_as_operand(operands[k].state());
    if (!found || dtype == DType::boolean) dtype = refs[k].dtype();  // a condition does not decide
    found = true;
  }
  for (std::size_t k = 0; k < operands.size(); ++k)
    if (operands[k].is_number()) refs[k] = number_operand(operands[k], dtype);
}

Tensor record_row(ElementwiseId row, std::initializer_list<Operand> operands, SourceLine line, std::span<const double> parameters) {
  if (line.line == 0) line = operands.begin()->line();
  return record(elementwise_rows()[static_cast<std::size_t>(row)].name.data(), operands, line,
                [&](std::span<const Ref> in) { return graph::elementwise(row, in, parameters); });
}

#define COTAN_OPERAND(name) const Operand& name
#define COTAN_PARAMETERS(...) __VA_OPT__(, COTAN_LIST(COTAN_PARAMETER, __VA_ARGS__))
#define COTAN_PARAMETER(p) COTAN_PARAMETER_##p
#define COTAN_PARAMETER_P(name, standard) double name
#define COTAN_VALUES(...) __VA_OPT__(, {}, std::array{COTAN_LIST(COTAN_VALUE, __VA_ARGS__)})
#define COTAN_VALUE(p) COTAN_VALUE_##p
#define COTAN_VALUE_P(name, standard) name
#define ELEMENTWISE(name_, operands_, parameters_, ...)                                                        \
  Tensor name_(COTAN_LIST(COTAN_OPERAND, COTAN_UNWRAP operands_) COTAN_PARAMETERS(COTAN_UNWRAP parameters_)) { \
    return record_row(ElementwiseId::name_, {COTAN_UNWRAP operands_} COTAN_VALUES(COTAN_UNWRAP parameters_));  \
  }
#include "ops/elementwise.def"
#undef ELEMENTWISE

#define SUM(name_, Options_, operands_, ...)                                                 \
  Tensor name_(COTAN_LIST(COTAN_OPERAND, COTAN_UNWRAP operands_), const Options_& options) { \
    const std::initializer_list<Operand> operands{COTAN_UNWRAP operands_};                   \
    return record(#name_, operands, operands.begin()->line(), [&](std::span<const Ref> in) { \
      const auto [COTAN_UNWRAP operands_] = first_of<COTAN_COUNT operands_>(in);             \
      return graph::name_(COTAN_UNWRAP operands_, options);                                  \
    });                                                                                      \
  }
#define REDUCE SUM
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef SUM

namespace {

using Composed = std::function<std::vector<Ref>(std::span<const Ref>)>;

std::vector<Tensor> record_composite(const char* name, std::span<const Operand> operands, const SourceLine& line, const Composed& body) {
  const CallSite site(name, line);
  return within_memory(recording, [&] {
    std::vector<Ref> refs(operands.size());
    resolve(operands, refs);
    std::vector<Tensor> results;
    for (const Ref& r : body(refs)) results.push_back(Tensor::wrap(r, line));
    return results;
  });
}

// Composites that draw random numbers do so here, from the default generator: nodes know of none.
template <class Results, class Options>
Results recorded(const char* name, std::span<const Operand> operands, const SourceLine& line, const Options& options, const Composed& body) {
  if constexpr (std::is_same_v<Options, ScaledDotProductAttentionOptions>)
    if (options.dropout_p != 0) return dropped_attention(operands, options, default_generator());
  return results_as<Results>(record_composite(name, operands, line, body));
}

// The arguments of a composite as one list.
struct Arguments {
  std::vector<Operand> operands;
  SourceLine line;
  void append(const Operand& operand) {
    if (operands.empty()) line = operand.line();
    operands.push_back(operand);
  }
  void append(const OperandList& list) {
    line = list.line();
    operands = list.operands();
  }
};

}  // namespace

#define COTAN_TAKES(operand) COTAN_CAT(COTAN_TAKES_, COTAN_FORM_OF(operand))(COTAN_NAME_OF(operand))
#define COTAN_TAKES_REQUIRED(name) const Operand& name
#define COTAN_TAKES_OPTIONAL(name) const OptionalOperand& name
#define COTAN_TAKES_LIST(name) const OperandList& name
#define COTAN_APPEND(operand) arguments.append(COTAN_NAME_OF(operand));
#define COMPOSITE(form_, name_, Options_, results_, operands_, ...)                                                    \
  COTAN_RESULTS_OF(Tensor, results_) name_(COTAN_LIST(COTAN_TAKES, COTAN_UNWRAP operands_), const Options_& options) { \
    Arguments arguments;                                                                                               \
    COTAN_EACH(COTAN_APPEND, COTAN_UNWRAP operands_)                                                                   \
    const Composed body = [&](std::span<const Ref> in) { return graph::name_##_results(in, options); };                \
    return recorded<COTAN_RESULTS_OF(Tensor, results_)>(#name_, arguments.operands, arguments.line, options, body);    \
  }
#include "graph/composites/composites.def"
#undef COMPOSITE

}  // namespace cotan
