// Holds oneDNN to the calling thread.
//
// All parallelism is the project's own, so a primitive is created and executed on one thread. How that is said depends on the thread runtime the library was
// built for:
//   OpenMP   the calling thread's number of OpenMP threads is 1 meanwhile, and the caller's own setting is restored afterwards; oneDNN takes the number at
//            creation and again at execution, and with 1 it never opens a parallel region;
//   TBB      the calling thread works in an arena of its own with a single slot, so that no other thread joins, and a wait inside the library cannot pick up
//            a task of the project's arena and overwrite the scratch of the interrupted one;
//   none     nothing to do.
#pragma once

#include <memory>
#include <string>
#include <type_traits>

namespace cotan::onednn {

// Calls body(context) with oneDNN held to this thread. A call inside another one costs next to nothing, so a caller with several primitives to run may wrap
// them all. What the body throws passes through. Throws InternalError where unheld_reason() is not empty.
void call_on_one_thread(void (*body)(void*), void* context);

// The same for any callable.
template <class Body>
void on_one_thread(Body&& body) {
  call_on_one_thread([](void* context) { (*static_cast<std::remove_reference_t<Body>*>(context))(); },
                     const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

// Why the linked library cannot be held to one thread; empty where it can.
[[nodiscard]] const std::string& unheld_reason();

// The thread runtime that the library was built for: "OpenMP", "TBB" or "none".
[[nodiscard]] const char* thread_runtime();

}  // namespace cotan::onednn
