// The building blocks of crossing_graph.h: each takes a value and gives another one, or nothing where it does not fit.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "tests/support/inputs.h"

namespace cotan::testing {

// What blocks draw with: random numbers, parameters, values computed before, and what room for work is left.
class Drawing {
 public:
  Drawing(std::uint64_t seed, DType floating, bool exact);

  // From here on the parameters drawn are those drawn since the network began, in the same order, as long as types and shapes are the same.
  void restart();

  // Where draws are, and going back there: what a block that does not fit has drawn was never drawn.
  struct Place {
    Random random;
    std::size_t parameters = 0, values = 0;
  };
  [[nodiscard]] Place place() const { return {random, next_, earlier_.size()}; }
  void go_back(const Place& to);

  // A parameter with random values of about this size.
  [[nodiscard]] Ref parameter(const Shape& shape, double size = 1);
  // The same, a vector or scalar that a tensor of this shape is broadcast with: over its last dimension, its channels, everything, or a whole tensor.
  [[nodiscard]] Ref broadcast_parameter(const Shape& shape, double size = 1);
  // A weight that `inputs` products are added up with: results are about as large as what goes in.
  [[nodiscard]] Ref weight(const Shape& shape, std::int64_t inputs);
  // Integers below a bound, checked or not; and conditions.
  [[nodiscard]] Ref table(const Shape& shape, std::int64_t below, DType dtype = DType::i32);
  [[nodiscard]] Ref conditions(const Shape& shape);
  // A parameter of that type (bf16), of `floating` values.
  [[nodiscard]] Ref stored(const Shape& shape, DType dtype);

  // A value computed before, of that shape, or nothing.
  [[nodiscard]] Ref earlier(const Shape& shape);
  void remember(const Ref& value) { earlier_.push_back(value); }

  // Nanoseconds of the reference that the program may still cost.
  double room = 0;
  Random random;
  const DType floating;
  const bool exact;
  Inputs inputs;

 private:
  Ref next(DType dtype, const Shape& shape, const std::function<std::vector<double>()>& values, std::string_view mark = "");

  std::vector<Ref> drawn_, earlier_;
  std::size_t next_ = 0;
};

// A value of random entries in the drawing's kind of numbers.
[[nodiscard]] std::vector<double> drawn_values(Random& random, std::int64_t count, double size, bool exact);

struct CrossingBlock {
  std::string_view name;
  double weight = 1;  // how often it is drawn
  bool exact = true;  // gives small multiples of powers of two for such
  Ref (*draw)(Drawing& d, const Ref& x) = nullptr;
};
// All blocks.
[[nodiscard]] std::span<const CrossingBlock> crossing_blocks();

// What may follow a product before it is stored: a bias, activations, a residual, a factor; each of them or none.
[[nodiscard]] Ref with_tail(Drawing& d, Ref y);

}  // namespace cotan::testing
