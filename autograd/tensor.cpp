#include "autograd/tensor.h"

#include <fmt/format.h>

#include <cstring>
#include <ostream>

#include "autograd/gradients.h"
#include "autograd/record.h"
#include "autograd/tape.h"
#include "autograd/variable.h"
#include "graph/builder.h"
#include "ops/error.h"

namespace cotan {
namespace {

const TensorState& state_of(const std::shared_ptr<TensorState>& state, const char* function, const SourceLine& where) {
  if (!state) throw Error(function, "an undefined tensor", "Give it a value first; a default-constructed Tensor is no tensor", where);
  return *state;
}

}  // namespace

Tensor Tensor::wrap(const Ref& ref, const SourceLine& line) {
  return Tensor(std::make_shared<TensorState>(ref, Tape::current(), line, recording_without_gradients()));
}

Tensor Tensor::from_buffer(const void* data, std::int64_t count, DType dtype, const Shape& shape, const SourceLine& where) {
  const CallSite site("tensor", where);
  if (count != shape.elements())
    fail(fmt::format("{} values for shape {}, which has {} elements", count, shape.text(), shape.elements()), "Give as many values as the shape has");
  StorageRef storage = allocate(static_cast<std::size_t>(count) * size_of(dtype));
  if (count > 0) std::memcpy(storage->data(), data, storage->bytes());
  return wrap(data_leaf(std::move(storage), dtype, shape), where);
}

const Shape& Tensor::shape(std::source_location where) const { return state_of(state_, "shape", where).shape; }
DType Tensor::dtype(std::source_location where) const { return state_of(state_, "dtype", where).dtype; }
std::int64_t Tensor::numel(std::source_location where) const { return state_of(state_, "numel", where).shape.elements(); }

bool Tensor::is_evaluated() const { return state_ && state_->storage() != nullptr; }

void Tensor::read(void* data, std::int64_t count, DType wanted, const char* function, const SourceLine& where) const {
  const CallSite site(function, where);
  if (!state_) fail("an undefined tensor", "Give it a value first; a default-constructed Tensor is no tensor");
  if (wanted != dtype())
    fail(fmt::format("a tensor of {} read as {}", name_of(dtype()), name_of(wanted)), fmt::format("Name the type, {}<...>(), or cast the tensor", function));
  if (count != numel())
    fail(fmt::format("one element of a tensor of shape {}, which has {}", shape().text(), numel()), "Reduce it to one element, or read all with to_vector()");
  copy_elements(data);
}

void Tensor::copy_to(void* data, std::source_location where) const {
  const CallSite site("copy_to", where);
  copy_elements(data);
}

namespace {

// Its elements, computed where they are not there yet.
StorageRef elements_of(const std::shared_ptr<TensorState>& state) {
  if (!state) fail("an undefined tensor", "Give it a value first; a default-constructed Tensor is no tensor");
  const std::shared_ptr<Tape>& here = Tape::current();
  if (!state->storage() || !here->pending.empty()) {
    static_cast<void>(use(state));  // throws where another thread has yet to compute it
    run_evaluation(*here, {{state}}, CallSite::current_line());
  }
  return state->storage();
}

}  // namespace

void Tensor::copy_elements(void* data) const {
  const StorageRef storage = elements_of(state_);
  if (storage->bytes() > 0) std::memcpy(data, storage->data(), storage->bytes());
}

Tensor Tensor::detach(std::source_location where) const {
  return record("detach", {*this}, where, [](std::span<const Ref> x) { return graph::stop_gradient(x[0]); });
}

Tensor& Tensor::requires_grad_(bool on, std::source_location where) {
  const CallSite site("requires_grad_", where);
  if (!state_) fail("an undefined tensor", "Give it a value first; a default-constructed Tensor is no tensor");
  if (!is_floating(dtype())) fail(fmt::format("a tensor of {} has no gradient", name_of(dtype())), "Cast it to f32 first");
  if (state_->tape != Tape::current()) fail("a tensor of another thread", "Mark it in the thread that made it");
  if (on == state_->requires_grad) return *this;
  Tape& tape = *state_->tape;
  if (!on) {
    std::lock_guard lock(tape.mutex);
    state_->requires_grad = false;
    auto mark = tape.marked.find(state_->ref.node());
    if (--mark->second == 0) {
      tape.marked.erase(mark);
      tape.leaf_gradients.erase(state_->ref.node());
    }
    return *this;
  }
  if (!state_->storage()) run_evaluation(tape, {{state_}}, CallSite::current_line());
  if (state_->ref->kind != Kind::leaf || version_of(*state_->ref.node()) != nullptr)
    fail(fmt::format("the tensor recorded at {} has a history that leads to variables", state_->line.text()),
         "Mark what a gradient is wanted of, or detach() this tensor first");
  std::lock_guard lock(tape.mutex);
  state_->requires_grad = true;
  ++tape.marked[state_->ref.node()];
  return *this;
}

bool Tensor::requires_grad() const { return state_ && state_->requires_grad; }

Tensor Tensor::grad(std::source_location where) const {
  const CallSite site("grad", where);
  if (!requires_grad()) fail("a tensor that no gradient was asked of", "Call requires_grad_() before it is used");
  if (state_->tape != Tape::current()) fail("a tensor of another thread", "Ask in the thread that called backward()");
  auto found = state_->tape->leaf_gradients.find(state_->ref.node());
  if (found == state_->tape->leaf_gradients.end()) fail("no gradient has been accumulated", "Call backward() on a loss that depends on this tensor first");
  return found->second;
}

Operand::Operand(const Tensor& tensor, std::source_location where) : state_(tensor.state()), line_(where) {}

Operand::Operand(const Variable& variable, std::source_location where) : line_(where) { state_ = variable.value(where).state(); }

Tensor tensor(std::initializer_list<double> values, DType dtype, std::source_location where) {
  const CallSite site("tensor", where);
  const Shape shape{static_cast<std::int64_t>(values.size())};
  StorageRef storage = allocate(values.size() * size_of(dtype));
  visit_dtype(dtype, [&](auto zero) {
    auto* to = static_cast<decltype(zero)*>(storage->data());
    for (double v : values) {
      if (!takes_number(dtype, v)) fail(fmt::format("{} does not fit {}", v, name_of(dtype)), "Give whole numbers in range, or another dtype");
      *to++ = static_cast<decltype(zero)>(v);
    }
  });
  return Tensor::wrap(data_leaf(std::move(storage), dtype, shape), where);
}

Tensor full(const Shape& shape, double value, DType dtype, std::source_location where) {
  return record("full", {}, where, [&](auto) {
    if (!takes_number(dtype, value)) fail(fmt::format("{} does not fit {}", value, name_of(dtype)), "Give a whole number in range, or another dtype");
    if (value == 0 || value == 1 || value == -1) return graph::fill(value, dtype, shape);
    return graph::broadcast(graph::scalar(value, dtype), shape);  // another value compiles nothing anew
  });
}

Tensor zeros(const Shape& shape, DType dtype, std::source_location where) {
  return record("zeros", {}, where, [&](auto) { return graph::fill(0, dtype, shape); });
}

Tensor ones(const Shape& shape, DType dtype, std::source_location where) {
  return record("ones", {}, where, [&](auto) { return graph::fill(1, dtype, shape); });
}

Tensor arange(std::int64_t count, DType dtype, std::source_location where) {
  return record("arange", {}, where, [&](auto) {
    if (dtype == DType::boolean) fail("a range of bool", "Ask for a type of numbers");
    return graph::iota(dtype, {count}, 0);
  });
}

Tensor cast(const Operand& x, DType dtype) {
  return record("cast", {x}, x.line(), [&](std::span<const Ref> in) { return graph::cast(in[0], dtype); });
}

Tensor operator+(const Operand& a, const Operand& b) { return record_row(ElementwiseId::add, {a, b}); }
Tensor operator-(const Operand& a, const Operand& b) { return record_row(ElementwiseId::sub, {a, b}); }
Tensor operator*(const Operand& a, const Operand& b) { return record_row(ElementwiseId::mul, {a, b}); }
Tensor operator/(const Operand& a, const Operand& b) { return record_row(ElementwiseId::div, {a, b}); }
Tensor operator-(const Operand& a) { return record_row(ElementwiseId::neg, {a}); }
Tensor operator==(const Operand& a, const Operand& b) { return record_row(ElementwiseId::eq, {a, b}); }
Tensor operator!=(const Operand& a, const Operand& b) { return record_row(ElementwiseId::ne, {a, b}); }
Tensor operator<(const Operand& a, const Operand& b) { return record_row(ElementwiseId::lt, {a, b}); }
Tensor operator<=(const Operand& a, const Operand& b) { return record_row(ElementwiseId::le, {a, b}); }
Tensor operator>(const Operand& a, const Operand& b) { return record_row(ElementwiseId::gt, {a, b}); }
Tensor operator>=(const Operand& a, const Operand& b) { return record_row(ElementwiseId::ge, {a, b}); }
Tensor& operator+=(Tensor& a, const Operand& b) { return a = record_row(ElementwiseId::add, {Operand(a), b}, b.line()); }
Tensor& operator-=(Tensor& a, const Operand& b) { return a = record_row(ElementwiseId::sub, {Operand(a), b}, b.line()); }
Tensor& operator*=(Tensor& a, const Operand& b) { return a = record_row(ElementwiseId::mul, {Operand(a), b}, b.line()); }
Tensor& operator/=(Tensor& a, const Operand& b) { return a = record_row(ElementwiseId::div, {Operand(a), b}, b.line()); }

std::size_t graph_size(const std::vector<Tensor>& tensors, std::source_location where) {
  std::vector<Ref> refs;
  for (const Tensor& t : tensors) refs.push_back(state_of(t.state(), "graph_size", where).ref);
  return topological(refs).size();
}

namespace {

template <class T>
void print(std::ostream& out, const T* values, const Shape& shape, std::size_t dim, std::int64_t stride) {
  if (dim == shape.rank()) {
    if constexpr (std::is_integral_v<T>)
      out << fmt::format("{}", *values);
    else
      out << fmt::format("{:g}", static_cast<double>(*values));
    return;
  }
  constexpr std::int64_t most = 8, edge = 3;
  const std::int64_t step = shape[dim] == 0 ? 0 : stride / shape[dim];
  out << '[';
  for (std::int64_t i = 0; i < shape[dim]; ++i) {
    if (shape[dim] > most && i == edge) {
      out << ", ...";
      i = shape[dim] - edge;
    }
    if (i > 0) out << ", ";
    print(out, values + i * step, shape, dim + 1, step);
  }
  out << ']';
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& t) {
  if (!t.defined()) return out << "tensor(undefined)";
  const CallSite site("operator<<", t.state()->line);  // a stream operator learns no line: the tensor's own
  const StorageRef storage = elements_of(t.state());
  out << fmt::format("tensor({}, {}) ", name_of(t.dtype()), t.shape().text());
  visit_dtype(t.dtype(), [&](auto zero) { print(out, static_cast<const decltype(zero)*>(storage->data()), t.shape(), 0, t.numel()); });
  return out;
}

}  // namespace cotan
