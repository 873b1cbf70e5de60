#include "training/idx.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "ops/error.h"

namespace cotan::training {
namespace {

constexpr const char* fetch_again = "Fetch the file again: it is damaged or is another kind of file";
constexpr std::size_t max_rank = 8;

// A file read from its start, through zlib, which passes what is not compressed as it is.
class Input {
 public:
  explicit Input(const std::filesystem::path& file) : name_(file.string()) {
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored)) fail(fmt::format("'{}' is a folder, expected an idx file", name_), "Name the file itself");
    errno = 0;
    handle_.reset(gzopen(name_.c_str(), "rb"));
    if (handle_ == nullptr) {
      fail(fmt::format("cannot open '{}': {}", name_, errno != 0 ? std::strerror(errno) : "out of memory"), "Check that the file exists and may be read");
    }
    gzbuffer(handle_.get(), 1U << 17);
  }

  // Fills up to `count` bytes and says how many there were; fewer only at the end of the file.
  std::size_t read(std::uint8_t* to, std::size_t count) {
    std::size_t done = 0;
    while (done < count) {
      const auto piece = static_cast<unsigned>(std::min<std::size_t>(count - done, 1U << 24));
      const int got = gzread(handle_.get(), to + done, piece);
      int code = Z_OK;
      const char* text = gzerror(handle_.get(), &code);
      // A compressed stream that stops in its middle is reported here as Z_BUF_ERROR, beside the bytes that still came out.
      if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
        const std::string why = code == Z_ERRNO ? std::strerror(errno) : text;
        fail(fmt::format("'{}' cannot be read after byte {} of its uncompressed content: {}", name_, at_ + done, why), fetch_again);
      }
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    at_ += done;
    return done;
  }

  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  struct Close {
    void operator()(gzFile_s* handle) const { gzclose(handle); }
  };
  std::string name_;
  std::unique_ptr<gzFile_s, Close> handle_;
  std::size_t at_ = 0;
};

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) | (std::uint32_t{bytes[2]} << 8) | std::uint32_t{bytes[3]};
}

std::vector<std::int64_t> read_header(Input& input, std::size_t rank) {
  std::array<std::uint8_t, 4 + 4 * max_rank> header{};
  const std::size_t length = 4 + 4 * rank;
  const std::size_t got = input.read(header.data(), 4);
  const std::uint32_t expected = 0x00000800U + static_cast<std::uint32_t>(rank);
  if (got == 4 && big_endian(header.data()) != expected) {
    fail(fmt::format("'{}' starts with the magic number 0x{:08x}, expected 0x{:08x} (an idx file of unsigned bytes with {} dimensions)", input.name(),
                     big_endian(header.data()), expected, rank),
         fetch_again);
  }
  const std::size_t all = got < 4 ? got : got + input.read(header.data() + 4, length - 4);
  if (all < length) {
    fail(fmt::format("'{}' ends after {} bytes, expected an idx header of {} bytes", input.name(), all, length), fetch_again);
  }
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 0; i < rank; ++i) sizes.push_back(big_endian(header.data() + 4 + 4 * i));
  return sizes;
}

// The product of the sizes, or an Error where no file could be that long.
std::size_t byte_count(const Input& input, const std::vector<std::int64_t>& sizes) {
  constexpr std::int64_t limit = std::int64_t{1} << 40;
  std::int64_t count = 1;
  for (std::int64_t size : sizes) {
    if (size != 0 && count > limit / size) {
      fail(fmt::format("'{}' has a header that promises more than {} bytes (sizes {})", input.name(), limit, fmt::join(sizes, " x ")), fetch_again);
    }
    count *= size;
  }
  return static_cast<std::size_t>(count);
}

}  // namespace

IdxArray read_idx(const std::filesystem::path& file, std::size_t rank) {
  if (rank == 0 || rank > max_rank) fail(fmt::format("an idx file of {} dimensions was asked for", rank), "Ask for 1 to 8 dimensions");
  Input input(file);
  IdxArray array;
  array.sizes = read_header(input, rank);
  const std::size_t expected = byte_count(input, array.sizes);

  // Memory grows with what the file really holds: a damaged header must not reserve what it promises.
  constexpr std::size_t step = std::size_t{1} << 24;
  std::size_t got = 0;
  while (got < expected) {
    array.bytes.resize(got + std::min(step, expected - got));
    const std::size_t wanted = array.bytes.size() - got;
    const std::size_t piece = input.read(array.bytes.data() + got, wanted);
    got += piece;
    if (piece < wanted) break;
  }
  const std::string sizes = fmt::format("{}", fmt::join(array.sizes, " x "));
  if (got < expected) {
    fail(fmt::format("'{}' ends after {} bytes of data, expected {} ({}, by its header)", input.name(), got, expected, sizes), fetch_again);
  }
  std::uint8_t extra = 0;
  if (input.read(&extra, 1) != 0) {
    fail(fmt::format("'{}' goes on after its data, expected {} bytes ({}, by its header)", input.name(), expected, sizes), fetch_again);
  }
  return array;
}

}  // namespace cotan::training
