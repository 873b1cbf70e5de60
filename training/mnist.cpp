#include "training/mnist.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "ops/error.h"
#include "training/idx.h"

namespace cotan::training {
namespace {

constexpr std::uint8_t highest_label = 9;

MnistSplit read_split(const std::filesystem::path& image_file, const std::filesystem::path& label_file) {
  IdxArray images = read_idx(image_file, 3);
  IdxArray labels = read_idx(label_file, 1);
  if (images.sizes[1] == 0 || images.sizes[2] == 0) {
    fail(fmt::format("'{}' holds images of {} x {} pixels, expected at least one pixel", image_file.string(), images.sizes[1], images.sizes[2]),
         "Fetch the file again: its header is damaged");
  }
  if (images.sizes[0] != labels.sizes[0]) {
    fail(fmt::format("'{}' holds {} labels, expected {}, one for each image of '{}'", label_file.string(), labels.sizes[0], images.sizes[0],
                     image_file.string()),
         "Take both files from the same release of the data set");
  }
  for (std::size_t i = 0; i < labels.bytes.size(); ++i) {
    if (labels.bytes[i] > highest_label) {
      fail(fmt::format("label {} of '{}' is {}, expected 0 to {}", i, label_file.string(), labels.bytes[i], highest_label),
           "Fetch the file again, or take a data set of ten classes");
    }
  }
  return MnistSplit{std::move(images.bytes), std::move(labels.bytes), images.sizes[0], images.sizes[1], images.sizes[2]};
}

// The file of that name, as it is or compressed.
std::filesystem::path find_file(const std::filesystem::path& folder, const char* name) {
  const std::filesystem::path plain = folder / name;
  std::error_code ignored;
  if (std::filesystem::is_regular_file(plain, ignored)) return plain;
  const std::filesystem::path compressed = folder / fmt::format("{}.gz", name);
  if (std::filesystem::is_regular_file(compressed, ignored)) return compressed;
  fail(fmt::format("'{}' is missing, expected it as it is or with .gz at the end of its name", plain.string()),
       "Run ./quickstart, which fetches the data, or set COTAN_DATA to the folder that holds it");
}

// Error unless first .. first + size - 1 are images of `split`.
void check_slice(const MnistSplit& split, std::int64_t first, std::int64_t size) {
  // Compared without adding first and size, which may overflow.
  if (first < 0 || size < 0 || first > split.count || size > split.count - first) {
    fail(fmt::format("the slice of {} images from index {} leaves a data set of {} images", size, first, split.count),
         fmt::format("Choose 0 <= first and first + size <= {}", split.count));
  }
}

}  // namespace

std::vector<float> MnistSplit::pixels(std::int64_t first, std::int64_t size, const std::source_location& where) const {
  const CallSite site("MnistSplit::pixels", where);
  check_slice(*this, first, size);
  // The 256 quotients, each rounded once.
  static const std::array<float, 256> scaled = [] {
    std::array<float, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i) / 255.0F;
    return table;
  }();
  const auto image = static_cast<std::size_t>(rows * cols);
  std::vector<float> result(static_cast<std::size_t>(size) * image);
  const std::uint8_t* from = images.data() + static_cast<std::size_t>(first) * image;
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = scaled[from[i]];
  return result;
}

std::vector<std::int32_t> MnistSplit::classes(std::int64_t first, std::int64_t size, const std::source_location& where) const {
  const CallSite site("MnistSplit::classes", where);
  check_slice(*this, first, size);
  return {labels.begin() + first, labels.begin() + first + size};
}

MnistSplit MnistSplit::slice(std::int64_t first, std::int64_t size, const std::source_location& where) const {
  const CallSite site("MnistSplit::slice", where);
  check_slice(*this, first, size);
  const std::int64_t image = rows * cols;
  return MnistSplit{
      {images.begin() + first * image, images.begin() + (first + size) * image}, {labels.begin() + first, labels.begin() + first + size}, size, rows, cols};
}

std::filesystem::path default_mnist_folder() {
  if (const char* named = std::getenv("COTAN_DATA"); named != nullptr && *named != '\0') return named;
  const std::filesystem::path here = std::filesystem::path("data") / "mnist";
  std::error_code ignored;
  if (std::filesystem::is_directory(here, ignored)) return here;
  return std::filesystem::path(COTAN_SOURCE_DIR) / "data" / "mnist";
}

Mnist load_mnist(const std::filesystem::path& folder, const std::source_location& where) {
  const CallSite site("load_mnist", where);
  const auto read_part = [&folder](const char* images, const char* labels) {
    const std::filesystem::path image_file = find_file(folder, images);
    return read_split(image_file, find_file(folder, labels));
  };
  Mnist data;
  data.train = read_part("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
  data.test = read_part("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
  if (data.train.rows != data.test.rows || data.train.cols != data.test.cols) {
    fail(fmt::format("the test images in '{}' have {} x {} pixels, expected {} x {} as the training images have", folder.string(), data.test.rows,
                     data.test.cols, data.train.rows, data.train.cols),
         "Take all four files from the same release of the data set");
  }
  return data;
}

MnistSplit load_mnist_split(const std::filesystem::path& images, const std::filesystem::path& labels, const std::source_location& where) {
  const CallSite site("load_mnist_split", where);
  return read_split(images, labels);
}

}  // namespace cotan::training
