// Tensor: a value-like handle on a result of the recorded graph.
//
// Operations on tensors record nodes and compute nothing; evaluate(), item(), to_vector(), printing and optimizer.step() compute. A handle is cheap to copy;
// copies are one tensor. What was computed is kept, and once computed, a tensor that no gradient can be asked of forgets how it was made, so that a loop which
// reads its result each turn runs in constant memory.
//
// Recording belongs to a thread. A computed tensor may be used in any thread; one that is not computed yet only in the thread that recorded it.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ops/dtype.h"
#include "ops/error.h"
#include "ops/memory.h"
#include "ops/shape.h"

namespace cotan {

class Ref;
class Variable;
struct TensorState;

// A handle on a tensor; copies are one tensor.
class Tensor {
 public:
  // No tensor. Using it is an Error.
  Tensor() = default;

  // A tensor of these values, row-major. T is float, double, bfloat16, std::int32_t, std::int64_t, std::uint8_t, std::uint32_t or bool and decides the dtype.
  // Throws Error where the count does not fit.
  template <class T>
  [[nodiscard]] static Tensor from(std::span<const T> values, const Shape& shape, std::source_location where = std::source_location::current()) {
    return from_buffer(values.data(), static_cast<std::int64_t>(values.size()), dtype_of<T>(), shape, where);
  }
  template <class T>
  [[nodiscard]] static Tensor from(const std::vector<T>& values, const Shape& shape, std::source_location where = std::source_location::current()) {
    return from(std::span<const T>(values), shape, where);
  }
  // The same from untyped memory of `count` elements, which is copied.
  [[nodiscard]] static Tensor from_buffer(const void* data, std::int64_t count, DType dtype, const Shape& shape, const SourceLine& where);

  // False for a default-constructed handle.
  [[nodiscard]] bool defined() const { return state_ != nullptr; }
  // The sizes of the dimensions.
  [[nodiscard]] const Shape& shape(std::source_location where = std::source_location::current()) const;
  // The element type.
  [[nodiscard]] DType dtype(std::source_location where = std::source_location::current()) const;
  // The number of elements.
  [[nodiscard]] std::int64_t numel(std::source_location where = std::source_location::current()) const;
  // True once the value is there.
  [[nodiscard]] bool is_evaluated() const;

  // The one element, computed now if need be. Throws Error where there is not exactly one element, or T is not the dtype's C++ type.
  template <class T = float>
  [[nodiscard]] T item(std::source_location where = std::source_location::current()) const {
    T value;
    read(&value, 1, dtype_of<T>(), "item", where);
    return value;
  }
  // All elements in row-major order, computed now if need be. Throws Error where T is not the dtype's C++ type.
  template <class T = float>
  [[nodiscard]] std::vector<T> to_vector(std::source_location where = std::source_location::current()) const;
  // Copies all elements into `data`, which has room for them.
  void copy_to(void* data, std::source_location where = std::source_location::current()) const;

  // The same values as a tensor through which no gradient flows.
  [[nodiscard]] Tensor detach(std::source_location where = std::source_location::current()) const;
  // Asks for (or no longer for) gradients by this tensor: then history that leads here is kept, and backward() accumulates into grad(). Only a floating tensor
  // that is not computed from others, or is computed already, can be marked; otherwise an Error.
  Tensor& requires_grad_(bool on = true, std::source_location where = std::source_location::current());
  // Whether requires_grad_() was asked.
  [[nodiscard]] bool requires_grad() const;

  // Accumulates the gradient of this scalar into the grad() of every variable and marked tensor that it depends on. Nothing is computed yet.
  // Throws Error for a tensor that is not a floating scalar, or that depends on nothing that wants a gradient.
  void backward(std::source_location where = std::source_location::current()) const;
  // The accumulated gradient of a marked tensor; an Error where there is none.
  [[nodiscard]] Tensor grad(std::source_location where = std::source_location::current()) const;

  // For the library: a handle on a recorded result, and back.
  [[nodiscard]] static Tensor wrap(const Ref& ref, const SourceLine& line);
  explicit Tensor(std::shared_ptr<TensorState> state) : state_(std::move(state)) {}
  [[nodiscard]] const std::shared_ptr<TensorState>& state() const { return state_; }

 private:
  void read(void* data, std::int64_t count, DType dtype, const char* function, const SourceLine& where) const;
  void copy_elements(void* data) const;
  std::shared_ptr<TensorState> state_;
};

// An argument of an operation: a tensor, a variable or a C++ number, with the line where it was written. Numbers take the type of the tensors beside them and
// are read at run time: another value compiles nothing anew. The exceptions are 0, 1 and -1, which are part of the graph. Beside integers a number must be
// whole, in their range and at most 2^53 in size, an Error otherwise; beside floating tensors it is rounded to their type.
class Operand {
 public:
  Operand(const Tensor& tensor, std::source_location where = std::source_location::current());      // NOLINT: implicit, that is its purpose
  Operand(const Variable& variable, std::source_location where = std::source_location::current());  // NOLINT
  Operand(double number, std::source_location where = std::source_location::current()) : form_(Form::number), number_(number), line_(where) {}  // NOLINT
  Operand(float number, std::source_location where = std::source_location::current()) : form_(Form::number), number_(number), line_(where) {}   // NOLINT
  template <std::integral T>
  Operand(T number, std::source_location where = std::source_location::current())  // NOLINT
      : form_(Form::number), is_exact_(is_double(number)), number_(static_cast<double>(number)), line_(where) {}

  // Whether it is a C++ number; then number() is its value, and state() empty.
  [[nodiscard]] bool is_number() const { return form_ == Form::number; }
  [[nodiscard]] double number() const { return number_; }
  // Whether number() is the very number given; an integer beyond 2^53 may be rounded.
  [[nodiscard]] bool is_exact() const { return is_exact_; }
  // Whether an optional operand was left out.
  [[nodiscard]] bool is_absent() const { return form_ == Form::absent; }
  // Where it was written.
  [[nodiscard]] const SourceLine& line() const { return line_; }
  // The tensor behind it.
  // Null for a number, and for an undefined tensor: the operation that gets one reports it.
  [[nodiscard]] const std::shared_ptr<TensorState>& state() const { return state_; }

 protected:
  // What it is.
  enum class Form : std::uint8_t { tensor, number, absent };
  // An operand left out.
  Operand(Form form, const SourceLine& where) : form_(form), line_(where) {}

 private:
  // Whether a double holds the integer: up to 2^53 in size all, beyond those whose lower bits are 0.
  template <std::integral T>
  static constexpr bool is_double(T number) {
    const auto size = number < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    return size == 0 || std::bit_width(size >> std::countr_zero(size)) <= 53;
  }

  std::shared_ptr<TensorState> state_;
  Form form_ = Form::tensor;
  bool is_exact_ = true;
  double number_ = 0;
  SourceLine line_;
};

// Says that an optional operand is left out where others follow: layer_norm(x, none, bias).
struct None {};
inline constexpr None none{};

// An operand that may be left out.
class OptionalOperand : public Operand {
 public:
  using Operand::Operand;
  // Left out.
  OptionalOperand(None = none, std::source_location where = std::source_location::current()) : Operand(Form::absent, where) {}  // NOLINT
};

// Several operands as one argument: concat({a, b}), or a std::vector of tensors or variables.
class OperandList {
 public:
  OperandList(std::initializer_list<Operand> operands, std::source_location where = std::source_location::current())  // NOLINT: implicit, as Operand is
      : operands_(operands), line_(where) {}
  template <class T>
  OperandList(const std::vector<T>& operands, std::source_location where = std::source_location::current()) : line_(where) {  // NOLINT
    operands_.reserve(operands.size());
    for (const T& operand : operands) operands_.emplace_back(operand, where);
  }

  // The operands in order, and where the list was written.
  [[nodiscard]] const std::vector<Operand>& operands() const { return operands_; }
  [[nodiscard]] const SourceLine& line() const { return line_; }

 private:
  std::vector<Operand> operands_;
  SourceLine line_;
};

// ---- making tensors

// A tensor of these numbers in one dimension: tensor({1, 2, 3}).
[[nodiscard]] Tensor tensor(std::initializer_list<double> values, DType dtype = f32, std::source_location where = std::source_location::current());
// Row-major values in a shape.
template <class T>
[[nodiscard]] Tensor tensor(const std::vector<T>& values, const Shape& shape, std::source_location where = std::source_location::current()) {
  return Tensor::from(values, shape, where);
}
// The same number everywhere.
[[nodiscard]] Tensor full(const Shape& shape, double value, DType dtype = f32, std::source_location where = std::source_location::current());
// Zeros.
[[nodiscard]] Tensor zeros(const Shape& shape, DType dtype = f32, std::source_location where = std::source_location::current());
// Ones.
[[nodiscard]] Tensor ones(const Shape& shape, DType dtype = f32, std::source_location where = std::source_location::current());
// 0, 1, ..., count - 1.
[[nodiscard]] Tensor arange(std::int64_t count, DType dtype = i32, std::source_location where = std::source_location::current());

// Converts the element type: floating to integer cuts towards zero and clamps (NaN gives 0), to bool tests for nonzero.
[[nodiscard]] Tensor cast(const Operand& x, DType dtype);

// ---- operators, all elementwise with NumPy's broadcasting; comparisons give bool

[[nodiscard]] Tensor operator+(const Operand& a, const Operand& b);
[[nodiscard]] Tensor operator-(const Operand& a, const Operand& b);
[[nodiscard]] Tensor operator*(const Operand& a, const Operand& b);
[[nodiscard]] Tensor operator/(const Operand& a, const Operand& b);
[[nodiscard]] Tensor operator-(const Operand& a);
[[nodiscard]] Tensor operator==(const Operand& a, const Operand& b);
[[nodiscard]] Tensor operator!=(const Operand& a, const Operand& b);
[[nodiscard]] Tensor operator<(const Operand& a, const Operand& b);
[[nodiscard]] Tensor operator<=(const Operand& a, const Operand& b);
[[nodiscard]] Tensor operator>(const Operand& a, const Operand& b);
[[nodiscard]] Tensor operator>=(const Operand& a, const Operand& b);
Tensor& operator+=(Tensor& a, const Operand& b);
Tensor& operator-=(Tensor& a, const Operand& b);
Tensor& operator*=(Tensor& a, const Operand& b);
Tensor& operator/=(Tensor& a, const Operand& b);

// "tensor(f32, (2, 3)) [[1, 2, 3], [4, 5, 6]]", long dimensions cut in the middle. Computes.
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

// How many nodes the recorded graph of these tensors has.
[[nodiscard]] std::size_t graph_size(const std::vector<Tensor>& tensors, std::source_location where = std::source_location::current());

// While one lives, what this thread records carries no gradient.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool outer_;
};

template <class T>
std::vector<T> Tensor::to_vector(std::source_location where) const {
  const CallSite site("to_vector", where);
  const std::size_t count = defined() ? static_cast<std::size_t>(numel()) : 0;
  if constexpr (std::is_same_v<T, bool>) {  // std::vector<bool> has no buffer
    std::vector<char> bytes = room_for<char>(count, "the elements");
    read(bytes.data(), static_cast<std::int64_t>(count), dtype_of<T>(), "to_vector", where);
    return std::vector<T>(bytes.begin(), bytes.end());
  } else {
    std::vector<T> values = room_for<T>(count, "the elements");
    read(values.data(), static_cast<std::int64_t>(count), dtype_of<T>(), "to_vector", where);
    return values;
  }
}

}  // namespace cotan
