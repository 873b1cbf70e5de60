#include "autograd/variable.h"

#include <fmt/format.h>

#include "autograd/cells.h"
#include "autograd/record.h"
#include "autograd/recorder.h"
#include "autograd/tape.h"
#include "graph/builder.h"
#include "ops/error.h"

namespace cotan {
namespace {

Cell& cell_of(const std::shared_ptr<Cell>& cell) {
  if (!cell) fail("an undefined variable", "Give it a name and a value first; a default-constructed Variable is no variable");
  return *cell;
}

}  // namespace

Variable::Variable(std::string name, const Tensor& initial, std::source_location where) {
  const CallSite site("Variable", where);
  if (!initial.defined()) fail(fmt::format("variable '{}' of an undefined tensor", name), "Give it a value");
  static_cast<void>(use(initial.state()));  // this thread's, or computed
  if (!initial.is_evaluated()) run_evaluation(*Tape::current(), {{initial.state()}, History::drop}, where);
  cell_ = std::make_shared<Cell>();
  cell_->name = std::move(name);
  cell_->dtype = initial.dtype();
  cell_->shape = initial.shape();
  cell_->storage = initial.state()->storage();
  cell_->last_write = where;
}

const std::string& Variable::name(std::source_location where) const {
  const CallSite site("name", where);
  return cell_of(cell_).name;
}

const Shape& Variable::shape(std::source_location where) const {
  const CallSite site("shape", where);
  return cell_of(cell_).shape;
}

DType Variable::dtype(std::source_location where) const {
  const CallSite site("dtype", where);
  return cell_of(cell_).dtype;
}

std::uint64_t Variable::version(std::source_location where) const {
  const CallSite site("version", where);
  const auto lock = lock_cell(cell_of(cell_));
  return cell_->version;
}

Tensor Variable::value(std::source_location where) const {
  const CallSite site("value", where);
  const bool frozen = !cell_of(cell_).requires_grad && is_floating(cell_->dtype);
  if (Recorder* recorder = Tape::current()->recorder; recorder != nullptr && is_floating(cell_->dtype))
    recorder->watch(fmt::format("requires_grad of variable '{}'", cell_->name), [cell = cell_] { return cell->requires_grad ? 1 : 0; });
  const Ref r = Tape::current()->read(cell_);
  return Tensor::wrap(frozen ? graph::stop_gradient(r) : r, where);
}

void Variable::assign(const Operand& next) const {
  const CallSite site("assign", next.line());
  Cell& cell = cell_of(cell_);
  const Operand operands[] = {next};
  Ref r;
  if (next.is_number()) {
    r = graph::broadcast(number_operand(next, cell.dtype), cell.shape);
  } else {
    std::array<Ref, 1> refs;
    resolve(operands, refs);
    r = refs[0];
  }
  if (r.shape() != cell.shape || r.dtype() != cell.dtype)
    fail(fmt::format("variable '{}' of {} {} given {} {}", cell.name, name_of(cell.dtype), cell.shape.text(), name_of(r.dtype()), r.shape().text()),
         "Shape and type of a variable never change: reshape, broadcast or cast the value");
  Tape::current()->assign(cell_, graph::stop_gradient(r), next.line());
}

Variable& Variable::requires_grad_(bool on, std::source_location where) {
  const CallSite site("requires_grad_", where);
  Cell& cell = cell_of(cell_);
  if (on && !is_floating(cell.dtype))
    fail(fmt::format("variable '{}' of {} has no gradient", cell.name, name_of(cell.dtype)), "Only floating variables have one");
  cell.requires_grad = on;
  return *this;
}

bool Variable::requires_grad(std::source_location where) const {
  const CallSite site("requires_grad", where);
  return cell_of(cell_).requires_grad && is_floating(cell_->dtype);
}

Tensor Variable::grad(std::source_location where) const {
  const CallSite site("grad", where);
  cell_of(cell_);
  const auto& gradients = Tape::current()->gradients;
  auto found = gradients.find(cell_->id);
  if (found == gradients.end()) fail(fmt::format("variable '{}' has no gradient", cell_->name), "Call backward() on a loss that depends on it first");
  if (found->second.consumed.line > 0)
    fail(fmt::format("the gradient of variable '{}' was consumed by the step at {}", cell_->name, found->second.consumed.text()),
         "Keep it with step({.keep_gradients = true})");
  return found->second.tensor;
}

void Variable::zero_grad(std::source_location where) const {
  const CallSite site("zero_grad", where);
  cell_of(cell_);
  Tape::current()->gradients.erase(cell_->id);
}

}  // namespace cotan
