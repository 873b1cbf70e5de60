// The MNIST loader on small files that each test writes: what it reads, and what it says about a file that is not what it should be.
#include "training/mnist.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "ops/error.h"
#include "training/idx.h"

namespace cotan::training {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

constexpr const char* train_images = "train-images-idx3-ubyte";
constexpr const char* train_labels = "train-labels-idx1-ubyte";
constexpr const char* test_images = "t10k-images-idx3-ubyte";
constexpr const char* test_labels = "t10k-labels-idx1-ubyte";

Bytes idx(const std::vector<std::uint32_t>& sizes, const Bytes& data, std::uint8_t type = 8) {
  Bytes file{0, 0, type, static_cast<std::uint8_t>(sizes.size())};
  for (std::uint32_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) file.push_back(static_cast<std::uint8_t>(size >> shift));
  }
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

Bytes gzip(const Bytes& plain) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes packed(deflateBound(&stream, plain.size()) + 64);
  stream.next_in = const_cast<std::uint8_t*>(plain.data());
  stream.avail_in = static_cast<unsigned>(plain.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<unsigned>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// A folder with a data set of three training and two test images of 2 x 3 pixels.
class MnistTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "cotan-mnist-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    write(train_images, idx({3, 2, 3}, {0, 1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 60, 255, 254, 253, 252, 251, 250}));
    write(train_labels, idx({3}, {7, 0, 9}));
    write(test_images, idx({2, 2, 3}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 128, 255}));
    write(test_labels, idx({2}, {1, 2}));
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const Bytes& bytes) const {
    std::ofstream out(folder_ / name, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(out.good());
  }
  [[nodiscard]] Bytes bytes_of(const std::string& name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // The loader must refuse the folder with an Error that holds all the texts, names its caller and gives a remedy.
  void expect_refused(const std::vector<std::string>& texts) const {
    try {
      (void)load_mnist(folder_);
      ADD_FAILURE() << "loaded, expected an error about " << texts.front();
    } catch (const Error& error) {
      for (const std::string& text : texts) EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
      EXPECT_EQ(error.function(), "load_mnist");
      EXPECT_FALSE(error.remedy().empty());
      EXPECT_NE(error.where().text().find("mnist_test.cpp:"), std::string::npos) << error.where().text();
    }
  }

  fs::path folder_;
};

TEST_F(MnistTest, ReadsBothParts) {
  const Mnist data = load_mnist(folder_);
  EXPECT_EQ(data.train.count, 3);
  EXPECT_EQ(data.train.rows, 2);
  EXPECT_EQ(data.train.cols, 3);
  EXPECT_EQ(data.train.images, (Bytes{0, 1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 60, 255, 254, 253, 252, 251, 250}));
  EXPECT_EQ(data.train.labels, (Bytes{7, 0, 9}));
  EXPECT_EQ(data.test.count, 2);
  EXPECT_EQ(data.test.images, (Bytes{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 128, 255}));
  EXPECT_EQ(data.test.labels, (Bytes{1, 2}));
}

TEST_F(MnistTest, ReadsCompressedFiles) {
  const Mnist plain = load_mnist(folder_);
  for (const char* name : {train_images, train_labels, test_images, test_labels}) {
    write(std::string(name) + ".gz", gzip(bytes_of(name)));
    fs::remove(folder_ / name);
  }
  const Mnist packed = load_mnist(folder_);
  EXPECT_EQ(packed.train.images, plain.train.images);
  EXPECT_EQ(packed.train.labels, plain.train.labels);
  EXPECT_EQ(packed.test.images, plain.test.images);
  EXPECT_EQ(packed.test.labels, plain.test.labels);
}

TEST_F(MnistTest, FindsTheFolderInTheEnvironment) {
  const char* before = std::getenv("COTAN_DATA");
  const std::string saved = before == nullptr ? "" : before;
  setenv("COTAN_DATA", folder_.c_str(), 1);
  EXPECT_EQ(default_mnist_folder(), folder_);
  EXPECT_EQ(load_mnist().train.count, 3);
  unsetenv("COTAN_DATA");
  EXPECT_EQ(default_mnist_folder().filename(), "mnist");
  EXPECT_EQ(default_mnist_folder().parent_path().filename(), "data");
  if (before != nullptr) setenv("COTAN_DATA", saved.c_str(), 1);
}

TEST_F(MnistTest, ScalesPixelsByOneOver255) {
  const MnistSplit train = load_mnist(folder_).train;
  const std::vector<float> pixels = train.pixels(1, 2);
  ASSERT_EQ(pixels.size(), 12U);
  EXPECT_EQ(pixels[0], 10.0F / 255.0F);
  EXPECT_EQ(pixels[5], 60.0F / 255.0F);
  EXPECT_EQ(pixels[6], 1.0F);
  EXPECT_EQ(pixels[11], 250.0F / 255.0F);
  EXPECT_TRUE(train.pixels(3, 0).empty());
}

TEST_F(MnistTest, GivesClassesOfASlice) {
  const MnistSplit train = load_mnist(folder_).train;
  EXPECT_EQ(train.classes(0, 3), (std::vector<std::int32_t>{7, 0, 9}));
  EXPECT_EQ(train.classes(2, 1), (std::vector<std::int32_t>{9}));
}

TEST_F(MnistTest, CutsOutASplitOfItsOwn) {
  const MnistSplit part = load_mnist(folder_).train.slice(1, 2);
  EXPECT_EQ(part.count, 2);
  EXPECT_EQ(part.rows, 2);
  EXPECT_EQ(part.cols, 3);
  EXPECT_EQ(part.labels, (Bytes{0, 9}));
  EXPECT_EQ(part.images, (Bytes{10, 20, 30, 40, 50, 60, 255, 254, 253, 252, 251, 250}));
}

TEST_F(MnistTest, RefusesSlicesOutsideTheData) {
  const MnistSplit train = load_mnist(folder_).train;
  EXPECT_THROW((void)train.pixels(-1, 1), Error);
  EXPECT_THROW((void)train.pixels(0, 4), Error);
  EXPECT_THROW((void)train.pixels(0, -1), Error);
  EXPECT_THROW((void)train.pixels(INT64_MAX, INT64_MAX), Error);
  EXPECT_THROW((void)train.classes(4, 0), Error);
  EXPECT_THROW((void)train.slice(2, 2), Error);
  try {
    (void)train.classes(2, 5);
    ADD_FAILURE() << "a slice beyond the end was given out";
  } catch (const Error& error) {
    EXPECT_EQ(error.problem(), "the slice of 5 images from index 2 leaves a data set of 3 images");
    EXPECT_EQ(error.function(), "MnistSplit::classes");
  }
}

TEST_F(MnistTest, NamesAMissingFile) {
  fs::remove(folder_ / test_labels);
  expect_refused({test_labels, "missing", "./quickstart", "COTAN_DATA"});
}

TEST_F(MnistTest, RefusesAMissingFolder) {
  fs::remove_all(folder_);
  expect_refused({train_images, "missing", "./quickstart"});
}

TEST_F(MnistTest, RefusesAWrongMagicNumber) {
  write(train_images, idx({3}, {1, 2, 3}));
  expect_refused({train_images, "0x00000801", "0x00000803"});
}

TEST_F(MnistTest, RefusesAnotherElementType) {
  write(train_labels, idx({3}, Bytes(12), 0x0d));
  expect_refused({train_labels, "0x00000d01", "0x00000801", "unsigned bytes"});
}

TEST_F(MnistTest, RefusesAFileShorterThanItsHeaderSays) {
  Bytes file = bytes_of(train_images);
  file.resize(file.size() - 5);
  write(train_images, file);
  expect_refused({train_images, "ends after 13 bytes of data", "expected 18", "3 x 2 x 3"});
}

TEST_F(MnistTest, RefusesAFileLongerThanItsHeaderSays) {
  Bytes file = bytes_of(test_images);
  file.push_back(0);
  write(test_images, file);
  expect_refused({test_images, "goes on after its data", "expected 12"});
}

TEST_F(MnistTest, RefusesEveryTruncationOfEveryFile) {
  for (const char* name : {train_images, train_labels, test_images, test_labels}) {
    const Bytes whole = bytes_of(name);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      write(name, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
      expect_refused({name, "ends after", "expected"});
    }
    write(name, whole);
  }
  EXPECT_EQ(load_mnist(folder_).train.count, 3);
}

TEST_F(MnistTest, RefusesEveryTruncationOfACompressedFile) {
  const Bytes whole = gzip(bytes_of(train_images));
  fs::remove(folder_ / train_images);
  const std::string name = std::string(train_images) + ".gz";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write(name, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    expect_refused({name});
  }
}

TEST_F(MnistTest, RefusesDamagedCompression) {
  Bytes packed = gzip(bytes_of(train_labels));
  packed[packed.size() - 6] ^= 0xff;  // in the checksum
  fs::remove(folder_ / train_labels);
  write(std::string(train_labels) + ".gz", packed);
  expect_refused({std::string(train_labels) + ".gz", "cannot be read"});
}

TEST_F(MnistTest, AHugeHeaderReservesNothing) {
  write(train_images, idx({0xffffffffU, 28, 28}, {1, 2, 3}));
  expect_refused({train_images, "promises more than"});
  write(train_images, idx({4000000U, 28, 28}, {1, 2, 3}));  // three gigabytes, by the header
  expect_refused({train_images, "ends after 3 bytes", "3136000000"});
}

TEST_F(MnistTest, RefusesImagesWithoutPixels) {
  write(train_images, idx({3, 0, 3}, {}));
  expect_refused({train_images, "0 x 3 pixels"});
}

TEST_F(MnistTest, RefusesALabelAboveNine) {
  write(train_labels, idx({3}, {7, 10, 9}));
  expect_refused({train_labels, "label 1", "is 10", "0 to 9"});
}

TEST_F(MnistTest, RefusesAnotherNumberOfLabelsThanImages) {
  write(train_labels, idx({4}, {1, 2, 3, 4}));
  expect_refused({train_labels, "4 labels", "expected 3", train_images});
}

TEST_F(MnistTest, RefusesTestImagesOfAnotherSize) {
  write(test_images, idx({2, 3, 2}, Bytes(12)));
  expect_refused({"3 x 2 pixels", "expected 2 x 3"});
}

TEST_F(MnistTest, ReadsOnePairOfFiles) {
  const MnistSplit split = load_mnist_split(folder_ / test_images, folder_ / test_labels);
  EXPECT_EQ(split.count, 2);
  EXPECT_EQ(split.labels, (Bytes{1, 2}));
  EXPECT_THROW((void)load_mnist_split(folder_ / test_images, folder_ / train_labels), Error);
}

TEST_F(MnistTest, RefusesAFolderAndARankOutOfRange) {
  EXPECT_THROW((void)read_idx(folder_, 1), Error);
  EXPECT_THROW((void)read_idx(folder_ / train_labels, 0), Error);
  EXPECT_THROW((void)read_idx(folder_ / train_labels, 9), Error);
  EXPECT_EQ(read_idx(folder_ / train_labels, 1).sizes, (std::vector<std::int64_t>{3}));
}

}  // namespace
}  // namespace cotan::training
