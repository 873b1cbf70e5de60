#include "backends/memory/poison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "backends/memory/pool.h"
#include "ops/error.h"

#if defined(__SANITIZE_ADDRESS__)
#define COTAN_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COTAN_TEST_ASAN 1
#endif
#endif

namespace cotan::memory {
namespace {

// Switches the mode for a test and back to off after it.
struct PoisonMode {
  explicit PoisonMode(bool on) { set_poison(on); }
  ~PoisonMode() { set_poison(false); }
};

// A copy of what memory holds, released or not.
template <class T>
std::vector<T> look(const void* from, std::size_t count) {
  std::vector<T> copy(count);
  permit(from, count * sizeof(T));
  std::memcpy(copy.data(), from, count * sizeof(T));
  forbid(from, count * sizeof(T));
  return copy;
}

TEST(Poison, ReadsAsNanInBothWidths) {
  alignas(8) unsigned char bytes[64];
  fill_with_poison(bytes, sizeof bytes);
  float as_float[16];
  double as_double[8];
  std::memcpy(as_float, bytes, sizeof bytes);
  std::memcpy(as_double, bytes, sizeof bytes);
  for (const float x : as_float) EXPECT_TRUE(std::isnan(x));
  for (const double x : as_double) EXPECT_TRUE(std::isnan(x));
}

TEST(Poison, FillsWhatIsReleased) {
  const PoisonMode mode(true);
  Pool pool;
  auto* block = static_cast<float*>(pool.take(256));
  for (int i = 0; i < 64; ++i) block[i] = 1;
  pool.release(block, 256);
  for (const float x : look<float>(block, 64)) EXPECT_TRUE(std::isnan(x));
}

TEST(Poison, FillsWhatIsHandedOut) {
  const PoisonMode mode(false);
  Pool pool;
  auto* block = static_cast<double*>(pool.take(512));
  for (int i = 0; i < 64; ++i) block[i] = 1;
  pool.release(block, 512);
  set_poison(true);
  auto* again = static_cast<double*>(pool.take(512));
  ASSERT_EQ(again, block);
  for (int i = 0; i < 64; ++i) EXPECT_TRUE(std::isnan(again[i]));
  pool.release(again, 512);
}

TEST(Poison, LeavesMemoryAloneWhenOff) {
  const PoisonMode mode(false);
  Pool pool;
  auto* block = static_cast<float*>(pool.take(256));
  for (int i = 0; i < 64; ++i) block[i] = 3;
  pool.release(block, 256);
  EXPECT_EQ(look<float>(block, 64), std::vector<float>(64, 3));
}

TEST(Poison, KnowsWhetherTheAddressSanitizerIsThere) {
#ifdef COTAN_TEST_ASAN
  EXPECT_TRUE(kAddressSanitizer);
#else
  EXPECT_FALSE(kAddressSanitizer);
#endif
}

#ifdef COTAN_TEST_ASAN
TEST(PoisonDeathTest, TheAddressSanitizerSeesUseAfterRelease) {
  Pool pool;
  auto* block = static_cast<volatile char*>(pool.take(256));
  pool.release(const_cast<char*>(block), 256);
  EXPECT_DEATH(block[10] = 1, "use-after-poison");
}

TEST(PoisonDeathTest, TheAddressSanitizerSeesWritesPastTheEnd) {
  Pool pool;
  auto* block = static_cast<volatile char*>(pool.take(40));
  block[39] = 1;
  EXPECT_DEATH(block[40] = 1, "use-after-poison");
  pool.release(const_cast<char*>(block), 40);
}
#endif

}  // namespace
}  // namespace cotan::memory
