// .npy files: NumPy's bytes, and files that are damaged in every way.
#include "tools/npy.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "ops/error.h"
#include "tests/tools/command.h"

namespace cotan::tools_tests {
namespace {

using namespace std::string_literals;
using reference::Array;
using ::testing::HasSubstr;
using tools::npy_of;
using tools::read_npy;
using tools::values_of;
using tools::write_npy;

// A file of version 1 with this header and data, as NumPy lays it out.
std::string file(std::string header, const std::string& data) {
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  return "\x93NUMPY\x01\x00"s + static_cast<char>(header.size() & 0xff) + static_cast<char>(header.size() >> 8) + header + data;
}

class Npy : public ::testing::Test {
 protected:
  Array read(const std::string& content) {
    place.write("a.npy", content);
    return values_of(read_npy(place.path() / "a.npy"));
  }
  std::string error(const std::string& content) {
    try {
      (void)read(content);
    } catch (const Error& e) {
      return e.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }
  Workplace place;
};

TEST_F(Npy, KeepsEveryTypeAndShape) {
  const Array arrays[] = {{f32, {2, 3}, {0, -0.0, 1.5, std::numeric_limits<double>::infinity(), 0.1f, -7}},
                          {f64, {3}, {0.1, 1e300, 5e-324}},
                          {i32, {1, 2, 1}, {-2147483648.0, 2147483647.0}},
                          {i64, {2}, {-0x1p63, 0x1p53}},
                          {u8, {4}, {0, 1, 254, 255}},
                          {u32, {2}, {0, 4294967295.0}},
                          {boolean, {2}, {0, 1}},
                          {f32, {}, {3}},
                          {f64, {0, 5}, {}}};
  for (const Array& a : arrays) {
    write_npy(place.path() / "a.npy", npy_of(a));
    const Array back = values_of(read_npy(place.path() / "a.npy"));
    EXPECT_EQ(back, a);
    for (std::size_t i = 0; i < a.values.size(); ++i) EXPECT_EQ(std::signbit(back.values[i]), std::signbit(a.values[i]));
    EXPECT_EQ((place.read("a.npy").size() - a.values.size() * size_of(a.dtype)) % 64, 0u) << "data begin at a multiple of 64 bytes";
    EXPECT_FALSE(std::filesystem::exists(place.path() / "a.npy.partial"));
  }
}

TEST_F(Npy, WritesNumPysBytes) {
  write_npy(place.path() / "a.npy", npy_of({u8, {2}, {7, 9}}));
  EXPECT_EQ(place.read("a.npy"), file("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "\x07\x09"));
}

TEST_F(Npy, KeepsWholeNumbersThatNoDoubleHolds) {
  const std::int64_t values[] = {9007199254740993, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()};
  tools::NpyArray array{i64, {3}, std::vector<std::byte>(sizeof values)};
  std::memcpy(array.bytes.data(), values, sizeof values);
  write_npy(place.path() / "a.npy", array);
  EXPECT_EQ(read_npy(place.path() / "a.npy"), array);
}

TEST_F(Npy, WritesBf16AsFloat32) {
  write_npy(place.path() / "a.npy", npy_of({bf16, {3}, {1.5, -0x1p-133, 0x1.fep127}}));
  EXPECT_EQ(values_of(read_npy(place.path() / "a.npy")), (Array{f32, {3}, {1.5, -0x1p-133, 0x1.fep127}}));
}

TEST_F(Npy, ReadsColumnsFirstOtherKeyOrdersAndVersionTwo) {
  EXPECT_EQ(read(file("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", "\x01\x04\x02\x05\x03\x06")), (Array{u8, {2, 3}, {1, 2, 3, 4, 5, 6}}));
  EXPECT_EQ(read(file("{'shape':(3,),'fortran_order':False,'descr':'|b1'}", "\x01\x00\x02"s)), (Array{boolean, {3}, {1, 0, 1}}));
  std::string two = file("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", "\x05");
  two[6] = '\x02';
  two.insert(10, "\x00\x00"s);
  EXPECT_EQ(read(two), (Array{u8, {1}, {5}}));
}

TEST_F(Npy, NamesWhatIsWrong) {
  EXPECT_THAT(error(""), HasSubstr("it is no .npy file"));
  EXPECT_THAT(error("\x93NUMPY\x09\x00\x00\x00"s), HasSubstr("version 9 of the format"));
  EXPECT_THAT(error("\x93NUMPY\x01\x00\xff\xff{'descr'"s), HasSubstr("it ends within its header"));
  EXPECT_THAT(error(file("{'descr': '<i2', 'fortran_order': False, 'shape': (1,), }", std::string(2, '\0'))),
              HasSubstr("elements of type '<i2'. Convert it first"));
  EXPECT_THAT(error(file("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", std::string(4, '\0'))), HasSubstr("elements of type '>f4'"));
  EXPECT_THAT(error(file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "")), HasSubstr("no plain type"));
  EXPECT_THAT(error(file("{'fortran_order': False, 'shape': (1,), }", "")), HasSubstr("no descr"));
  EXPECT_THAT(error(file("{'descr': '|u1', 'shape': (1,), }", "")), HasSubstr("no fortran_order"));
  EXPECT_THAT(error(file("{'descr': '|u1', 'fortran_order': False, 'shape': 1, }", "")), HasSubstr("no shape"));
  EXPECT_THAT(error(file("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }", "")), HasSubstr("no shape"));
  EXPECT_THAT(error(file("{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", "")), HasSubstr("more than 8 dimensions"));
  EXPECT_THAT(error(file("{'descr': '|u1', 'fortran_order': False, 'shape': (9000000000,9000000000,9000000000), }", "")), HasSubstr("too large"));
  EXPECT_THAT(error(file("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", std::string(11, '\0'))),
              HasSubstr("11 bytes of data where shape (3,) of f32 needs 12"));
  EXPECT_THAT(error(file("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", "ab")), HasSubstr("2 bytes of data"));
  EXPECT_THROW((void)read_npy(place.path() / "none.npy"), Error);
  EXPECT_THAT(error(file("{'descr': '', 'fortran_order': False, 'shape': (1,), }", "ab")), HasSubstr("elements of type ''"));
  EXPECT_THROW(write_npy(place.path() / "no" / "a.npy", npy_of({f32, {}, {1}})), Error);
}

TEST_F(Npy, DamagedFilesGiveAnArrayOrAnError) {
  const std::string good = file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", std::string(16, 'x'));
  std::mt19937 random(5);
  for (int k = 0; k < 400; ++k) {
    std::string bad = good;
    for (int n = 0; n < 3; ++n) bad[random() % std::min<std::size_t>(bad.size(), 80)] = static_cast<char>(random());
    if (k % 3 == 0) bad.resize(random() % bad.size());
    try {
      (void)read(bad);
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace cotan::tools_tests
