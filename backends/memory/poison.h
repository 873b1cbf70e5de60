// Memory that shows when it is read out of turn.
//
// In poison mode, memory is filled with NaNs when it is released and when it is handed out, so that a number computed from a released or a never
// written buffer is NaN. The pattern is the 8 bytes of 0x7ff7fa00'7fa00000: read as float64 a signalling NaN, read as float32 a signalling and a quiet NaN by
// turns, read as integers large and odd-looking.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cotan::memory {

inline constexpr std::uint64_t kPoison = 0x7ff7fa007fa00000U;

// Switches poison mode on or off for the process. The default is COTAN_POISON: "1" is on, "0", empty and unset are off.
void set_poison(bool on);

// Whether poison mode is on. Throws Error if COTAN_POISON decides it and is something else.
[[nodiscard]] bool poison();

// Fills memory with kPoison, whatever the mode. `bytes` is a multiple of 8 and the memory is aligned to 8.
void fill_with_poison(void* memory, std::size_t bytes);

// For the address sanitizer: these bytes may not, or may again, be touched. Nothing in other builds. Whether this is a build with it: kAddressSanitizer.
void forbid(const void* memory, std::size_t bytes);
void permit(const void* memory, std::size_t bytes);
extern const bool kAddressSanitizer;

}  // namespace cotan::memory
