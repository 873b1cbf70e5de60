#include "backends/onednn/primitive.h"

#include <utility>

#include "backends/onednn/program.h"

namespace cotan::onednn {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::none: return "none";
    case Refusal::dtype: return "dtype";
    case Refusal::empty: return "empty";
    case Refusal::malformed: return "malformed";
    case Refusal::layout: return "layout";
    case Refusal::slow_reference: return "slow_reference";
    case Refusal::library_refused: return "library_refused";
    case Refusal::thread_runtime: return "thread_runtime";
  }
  __builtin_unreachable();
}

const char* name_of(PostOpKind kind) {
  switch (kind) {
    case PostOpKind::linear: return "linear";
    case PostOpKind::leaky_relu: return "leaky_relu";
    case PostOpKind::elu: return "elu";
    case PostOpKind::tanh: return "tanh";
    case PostOpKind::sigmoid: return "sigmoid";
    case PostOpKind::sqrt: return "sqrt";
    case PostOpKind::square: return "square";
    case PostOpKind::abs: return "abs";
    case PostOpKind::silu: return "silu";
    case PostOpKind::add: return "add";
    case PostOpKind::sub: return "sub";
    case PostOpKind::mul: return "mul";
    case PostOpKind::div: return "div";
    case PostOpKind::accumulate: return "accumulate";
  }
  __builtin_unreachable();
}

Primitive::Primitive(std::unique_ptr<const Program> program) : program_(std::move(program)) {}

Primitive::~Primitive() = default;

const std::string& Primitive::implementation() const { return program_->implementation(); }

std::size_t Primitive::scratch_bytes() const { return program_->scratch_bytes(); }

std::size_t Primitive::inputs() const { return program_->inputs(); }

std::size_t Primitive::outputs() const { return program_->outputs(); }

std::size_t Primitive::workspace_bytes() const { return program_->workspace_bytes(); }

void Primitive::run(std::span<const void* const> inputs, std::span<void* const> outputs, void* scratch) const { program_->run(inputs, outputs, scratch); }

}  // namespace cotan::onednn
