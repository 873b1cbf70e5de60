// The MNIST digits, and data sets published in the same four files.
//
// `load_mnist()` reads them from a folder; `MnistSplit::pixels` and `MnistSplit::classes` hand out consecutive slices as the numbers a model takes. Pixels
// stay bytes until then: 60,000 images are 47 MB.
#pragma once

#include <cstdint>
#include <filesystem>
#include <source_location>
#include <vector>

namespace cotan::training {

// Labelled images: `count` images of rows x cols bytes, one after the other, row-major, 0 black to 255 white, and one label 0..9 for each.
struct MnistSplit {
  std::vector<std::uint8_t> images;
  std::vector<std::uint8_t> labels;
  std::int64_t count = 0;
  std::int64_t rows = 0;
  std::int64_t cols = 0;

  // The images first, first + 1, ..., first + size - 1 as float32, each pixel divided by 255: size * rows * cols numbers. Error if the slice leaves the data.
  [[nodiscard]] std::vector<float> pixels(std::int64_t first, std::int64_t size, const std::source_location& where = std::source_location::current()) const;

  // The labels of the same slice as class indices 0..9. Error if the slice leaves the data.
  [[nodiscard]] std::vector<std::int32_t> classes(std::int64_t first, std::int64_t size,
                                                  const std::source_location& where = std::source_location::current()) const;

  // The same slice as a data set of its own. Error if the slice leaves the data.
  [[nodiscard]] MnistSplit slice(std::int64_t first, std::int64_t size, const std::source_location& where = std::source_location::current()) const;
};

// The two parts as published: 60,000 images to train, 10,000 to test, 28 x 28.
struct Mnist {
  MnistSplit train;
  MnistSplit test;
};

// Where the data is looked for: the folder the environment variable COTAN_DATA names; else data/mnist below the current folder, if it is there; else
// data/mnist below the sources that this library was built from, where ./quickstart puts it.
[[nodiscard]] std::filesystem::path default_mnist_folder();

// Reads train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte from `folder`, each as it is or with .gz at the
// end of its name. Error, naming the file, what was expected and what was found, if one is missing, truncated or damaged, has a label above 9, or has another
// number of labels than there are images, or if the test images have another size than the training images.
[[nodiscard]] Mnist load_mnist(const std::filesystem::path& folder = default_mnist_folder(),
                               const std::source_location& where = std::source_location::current());

// Reads one pair of files, given by their own names. The same errors.
[[nodiscard]] MnistSplit load_mnist_split(const std::filesystem::path& images, const std::filesystem::path& labels,
                                          const std::source_location& where = std::source_location::current());

}  // namespace cotan::training
