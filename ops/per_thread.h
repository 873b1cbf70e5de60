// What a thread keeps for itself and may still be asked for when its thread-local objects are gone: in the destructors of objects at namespace scope, which run
// after the main thread's, and of a program's own thread-local objects, whose order nobody knows.
#pragma once

#include <type_traits>
#include <utility>

namespace cotan {

// Whether this is the thread in which main() runs.
[[nodiscard]] bool is_main_thread();

// The thread's own T, made when it is first asked for; each Tag has one. Tag is the type of a lambda written where T is used, which makes T where it has no
// default:
//
//     auto& memo = per_thread<std::map<int, Ref>>([] {});
//
// The main thread's is never destroyed. Another thread's goes when that thread ends; asked for again after that, it is made anew and stays.
template <class T, class Make>
[[nodiscard]] T& per_thread(Make make) {
  thread_local T* own = nullptr;  // plain, so that it outlives every thread-local object
  if (own == nullptr) {
    if constexpr (std::is_void_v<decltype(make())>)
      own = new T;
    else
      own = new T(make());
    if (!is_main_thread()) {
      struct Owner {
        ~Owner() { delete std::exchange(own, nullptr); }
      };
      thread_local Owner owner;
      static_cast<void>(owner);
    }
  }
  return *own;
}

}  // namespace cotan
