// Memory that there is none of is the user's Error: how much was asked for and for what, the user's line, and what to do.
#pragma once

#include <cstddef>
#include <new>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace cotan {

// While one lives, a small block that is kept for this is free: what the message of an Error takes.
class EmergencyMemory {
 public:
  EmergencyMemory() noexcept;
  ~EmergencyMemory();
  EmergencyMemory(const EmergencyMemory&) = delete;
  EmergencyMemory& operator=(const EmergencyMemory&) = delete;
};

// Sets the block aside, unless it is: before the first time that memory may end.
void keep_emergency_memory() noexcept;

// Throws the Error for that many bytes, which were wanted for `what` ("the elements that to_vector returns"); 0: nobody knows how many.
[[noreturn]] void no_memory(std::string_view what, std::size_t bytes = 0);

// The Error unless the process may take so many bytes more: asked for, and given back at once. Before calls of what does not survive that there are none.
void require_memory(std::size_t bytes, std::string_view what);
// The same as an answer.
[[nodiscard]] bool has_memory(std::size_t bytes) noexcept;

// So many elements, each T{}, or the Error.
template <class T>
[[nodiscard]] std::vector<T> room_for(std::size_t count, std::string_view what) {
  try {
    return std::vector<T>(count);
  } catch (const std::bad_alloc&) {
    no_memory(what, count * sizeof(T));
  } catch (const std::length_error&) {
    no_memory(what, count * sizeof(T));
  }
}

// Calls f; where memory ends in it, which leaves everything as it was, that is the Error. `what` was being done: "compiling a graph".
template <class F>
decltype(auto) within_memory(std::string_view what, F&& f) {
  keep_emergency_memory();
  try {
    return f();
  } catch (const std::bad_alloc&) {
    no_memory(what);
  } catch (const std::length_error&) {
    no_memory(what);
  }
}

}  // namespace cotan
