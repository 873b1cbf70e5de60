// The remainder of large angles by a quarter turn.
#pragma once

#include <cstdint>

namespace cotan::loops {

struct QuarterTurns {
  float rest = 0, low = 0;    // radians, from -pi/4 to pi/4: the rest as a float and what it lacks; NaN and 0 if the angle is not finite
  std::int32_t quarters = 0;  // the quarter turns taken off, modulo 4
};

// For angles of at least 2^8 radians, infinities and NaN. As by M. Payne and R. Hanek, "Radian reduction
// for trigonometric functions", ACM SIGNUM Newsletter 18 (1983): only those digits of 2 / pi are multiplied that do not make whole turns.
[[nodiscard]] QuarterTurns large_angle(float angle);

}  // namespace cotan::loops
