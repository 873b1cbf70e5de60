#include "backends/memory/pool.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backends/memory/poison.h"
#include "ops/error.h"

namespace cotan {
namespace {

using memory::Pool;
using memory::size_class;

// A system that counts, and that has no memory left after `grants` more buffers.
struct Scarce {
  static inline int grants = 0, given_back = 0;
  static memory::System system(int grants_now) {
    grants = grants_now;
    given_back = 0;
    return {.take = [](std::size_t bytes) -> void* {
              if (grants == 0) return nullptr;
              --grants;
              return std::aligned_alloc(memory::kAlignment, bytes);
            },
            .give =
                [](void* block, std::size_t) {
                  std::free(block);
                  ++given_back;
                  ++grants;
                }};
  }
};

std::string message_of(auto&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no Error";
}

TEST(SizeClass, CoversItsSizeTightlyAndInOrder) {
  std::size_t before_index = 0, before_bytes = 0;
  auto check = [&](std::size_t bytes) {
    const auto [index, block] = size_class(bytes);
    ASSERT_GE(block, bytes);
    ASSERT_EQ(block % memory::kAlignment, 0U);
    ASSERT_LE(block, bytes <= 512 ? bytes + 64 : bytes + bytes / 8) << bytes;
    ASSERT_GE(index, before_index);
    ASSERT_EQ(index == before_index, block == before_bytes || before_bytes == 0) << bytes;
    ASSERT_EQ(size_class(block).index, index) << "a block is of its own class";
    before_index = index;
    before_bytes = block;
  };
  for (std::size_t bytes = 0; bytes <= 5000; ++bytes) check(bytes);
  for (std::size_t power = 13; power <= 40; ++power) {
    const std::size_t whole = std::size_t{1} << power;
    for (const std::size_t bytes : {whole - 1, whole}) check(bytes);
    if (power < 40) check(whole + 1);
  }
  EXPECT_LT(before_index, 256U);
}

TEST(Pool, ReusesABlockOfTheSameClass) {
  Pool pool;
  void* first = pool.take(1000);
  pool.release(first, 1000);
  void* second = pool.take(1001);
  EXPECT_EQ(second, first);
  void* third = pool.take(1000);
  EXPECT_NE(third, second);
  pool.release(second, 1001);
  pool.release(third, 1000);
}

TEST(Pool, AlignsEverySize) {
  Pool pool;
  std::vector<std::pair<void*, std::size_t>> taken;
  for (const std::size_t bytes : {0, 1, 63, 64, 65, 511, 513, 4097, 1 << 20, (1 << 20) + 1}) {
    taken.emplace_back(pool.take(bytes), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(taken.back().first) % 64, 0U) << bytes;
    std::memset(taken.back().first, 1, bytes);
  }
  for (const auto& [block, bytes] : taken) pool.release(block, bytes);
}

TEST(Pool, CountsBytes) {
  Pool pool;
  void* a = pool.take(100);
  void* b = pool.take(3000);
  EXPECT_EQ(pool.statistics().live, 3100U);
  EXPECT_EQ(pool.statistics().live_buffers, 2U);
  EXPECT_EQ(pool.statistics().cached, 0U);
  EXPECT_EQ(pool.statistics().held, 128U + 3072U);
  pool.release(b, 3000);
  EXPECT_EQ(pool.statistics().live, 100U);
  EXPECT_EQ(pool.statistics().peak, 3100U);
  EXPECT_EQ(pool.statistics().cached, 3072U);
  EXPECT_EQ(pool.statistics().held, 128U + 3072U);
  pool.reset_peak();
  EXPECT_EQ(pool.statistics().peak, 100U);
  pool.trim();
  EXPECT_EQ(pool.statistics().cached, 0U);
  EXPECT_EQ(pool.statistics().held, 128U);
  pool.release(a, 100);
  EXPECT_EQ(pool.statistics().live, 0U);
  EXPECT_EQ(pool.statistics().live_buffers, 0U);
}

TEST(Pool, KeepsNoMoreThanItsLimitAndDropsTheOldestFirst) {
  Pool pool(Scarce::system(1000));
  pool.set_limit(2 * 1024);
  void* a = pool.take(1024);
  void* b = pool.take(512);
  void* c = pool.take(1024);
  pool.release(a, 1024);
  pool.release(b, 512);
  EXPECT_EQ(Scarce::given_back, 0);
  pool.release(c, 1024);  // 2560 bytes: a, which has lain longest, goes
  EXPECT_EQ(Scarce::given_back, 1);
  EXPECT_EQ(pool.statistics().cached, 1536U);
  EXPECT_EQ(pool.take(512), b);
  EXPECT_EQ(pool.take(1024), c);
  pool.set_limit(0);
  pool.release(b, 512);
  pool.release(c, 1024);
  EXPECT_EQ(pool.statistics().cached, 0U);
  EXPECT_EQ(pool.statistics().held, 0U);
  EXPECT_EQ(Scarce::given_back, 3);
}

TEST(Pool, GivesItsListsBackBeforeItFails) {
  Pool pool(Scarce::system(2));
  void* a = pool.take(1024);
  void* b = pool.take(2048);
  pool.release(b, 2048);
  void* c = pool.take(4096);  // the system has none left until b's block is given back
  EXPECT_EQ(Scarce::given_back, 1);
  EXPECT_EQ(pool.statistics().held, 1024U + 4096U);
  const std::string message = message_of([&] { static_cast<void>(pool.take(8192)); });
  EXPECT_NE(message.find("8192 bytes"), std::string::npos) << message;
  EXPECT_NE(message.find("5120 bytes are live"), std::string::npos) << message;
  EXPECT_EQ(pool.statistics().live, 5120U) << "a failure counts nothing";
  EXPECT_EQ(pool.statistics().held, 5120U);
  pool.release(a, 1024);
  pool.release(c, 4096);
}

TEST(Pool, GivesEverythingBackWhenItGoes) {
  {
    Pool pool(Scarce::system(10));
    void* a = pool.take(1024);
    void* b = pool.take(77);
    pool.release(a, 1024);
    pool.release(b, 77);
    EXPECT_EQ(Scarce::given_back, 0);
  }
  EXPECT_EQ(Scarce::given_back, 2);
}

TEST(Pool, ServesThreadsAtOnceWithoutSharingABlock) {
  Pool pool;
  pool.set_limit(1 << 16);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 3000; ++i) {
        const std::size_t bytes = (i * 37 + t * 11) % 9000;
        auto* block = static_cast<unsigned char*>(pool.take(bytes));
        std::memset(block, static_cast<int>(t + 1), bytes);
        for (std::size_t k = 0; k < bytes; k += 61) wrong[t] += block[k] != t + 1;
        pool.release(block, bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
  EXPECT_EQ(pool.statistics().live, 0U);
  EXPECT_LE(pool.statistics().cached, 1U << 16);
  EXPECT_EQ(pool.statistics().held, pool.statistics().cached);
}

TEST(Storage, HasItsSizeAndGoesBackWithItsLastReference) {
  const std::size_t before = memory::pool().statistics().live;
  StorageRef storage = allocate(4000);
  EXPECT_EQ(storage->bytes(), 4000U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(storage->data()) % 64, 0U);
  EXPECT_EQ(memory::pool().statistics().live, before + 4000);
  StorageRef other = storage;
  storage.reset();
  EXPECT_EQ(memory::pool().statistics().live, before + 4000);
  other.reset();
  EXPECT_EQ(memory::pool().statistics().live, before);
}

TEST(Storage, MayBeEmpty) {
  const StorageRef a = allocate(0), b = allocate(0);
  EXPECT_EQ(a->bytes(), 0U);
  EXPECT_NE(a->data(), nullptr);
  EXPECT_NE(a->data(), b->data());
}

TEST(Storage, RefusesAbsurdSizesWithoutAskingTheSystem) {
  const StorageRef live = allocate(12345);
  for (const std::size_t bytes : {memory::kMostBytes + 1, std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 2}) {
    const std::string message = message_of([&] { static_cast<void>(allocate(bytes)); });
    EXPECT_NE(message.find(std::to_string(bytes)), std::string::npos) << message;
    EXPECT_NE(message.find(std::to_string(memory::pool().statistics().live) + " bytes are live"), std::string::npos) << message;
    EXPECT_NE(message.find("Check the shape"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace cotan
