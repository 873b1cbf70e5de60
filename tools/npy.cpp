#include "tools/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

#include "ops/error.h"
#include "ops/memory.h"
#include "tools/file.h"

namespace cotan::tools {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are read and written as memory holds numbers");

constexpr std::string_view magic = "\x93NUMPY";

[[noreturn]] void fail_at(const std::filesystem::path& file, const std::string& problem, const std::string& remedy) {
  throw Error("", fmt::format("{}: {}", file.string(), problem), remedy);
}

// "" for a type that NumPy does not know.
std::string_view descriptor(DType dtype) {
  switch (dtype) {
    case DType::f32: return "<f4";
    case DType::f64: return "<f8";
    case DType::bf16: return "";
    case DType::i32: return "<i4";
    case DType::i64: return "<i8";
    case DType::u8: return "|u1";
    case DType::u32: return "<u4";
    case DType::boolean: return "|b1";
  }
  return "";
}

struct Header {
  DType dtype = DType::f32;
  bool by_columns = false;
  Shape shape;
};

// The header is a Python dictionary of three keys, in any order: {'descr': '<f4', 'fortran_order': False, 'shape': (64, 784), }.
class HeaderReader {
 public:
  HeaderReader(const std::filesystem::path& file, std::string_view text) : file_(file), text_(text) {}

  Header read() {
    Header h;
    h.dtype = dtype();
    h.by_columns = flag();
    h.shape = shape();
    return h;
  }

 private:
  [[noreturn]] void malformed(std::string_view what) const {
    fail_at(file_, fmt::format("the header of the file has no {}", what), "Write the file with numpy.save");
  }

  // What follows a key and its colon.
  std::string_view value(std::string_view key) const {
    const std::size_t at = text_.find(fmt::format("'{}'", key));
    if (at == std::string_view::npos) malformed(key);
    std::string_view rest = text_.substr(at + key.size() + 2);
    rest.remove_prefix(std::min(rest.find_first_not_of(" :"), rest.size()));
    return rest;
  }

  DType dtype() const {
    std::string_view v = value("descr");
    if (!v.starts_with('\'')) malformed("plain type");
    v.remove_prefix(1);
    v = v.substr(0, v.find('\''));
    for (std::size_t d = 0; d < dtype_count(); ++d)
      if (!v.empty() && v == descriptor(static_cast<DType>(d))) return static_cast<DType>(d);
    fail_at(file_, fmt::format("it holds elements of type '{}'", v.substr(0, 40)),
            "Convert it first: x.astype('float32'), or float64, int32, int64, uint8, uint32, bool");
  }

  bool flag() const {
    const std::string_view v = value("fortran_order");
    if (!v.starts_with("True") && !v.starts_with("False")) malformed("fortran_order");
    return v.starts_with("True");
  }

  Shape shape() const {
    std::string_view v = value("shape");
    const std::size_t end = v.find(')');
    if (!v.starts_with('(') || end == std::string_view::npos) malformed("shape");
    v = v.substr(1, end - 1);
    Shape shape;
    while (!v.empty()) {
      if (v.front() == ' ' || v.front() == ',') {
        v.remove_prefix(1);
        continue;
      }
      std::int64_t size = -1;
      const auto [rest, error] = std::from_chars(v.data(), v.data() + v.size(), size);
      if (error != std::errc{} || size < 0) malformed("shape");
      if (shape.rank() == Shape::max_rank) fail_at(file_, "an array of more than 8 dimensions", "Merge dimensions with reshape");
      shape.push_back(size);
      v.remove_prefix(static_cast<std::size_t>(rest - v.data()));
    }
    return shape;
  }

  const std::filesystem::path& file_;
  std::string_view text_;
};

// The header's text, and what follows it.
std::pair<std::string_view, std::string_view> split(const std::filesystem::path& file, std::string_view content) {
  if (!content.starts_with(magic) || content.size() < magic.size() + 4) fail_at(file, "it is no .npy file", "Write it with numpy.save");
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(content[i])); };
  const std::size_t major = byte(6);
  if (major < 1 || major > 3) fail_at(file, fmt::format("version {} of the format", major), "Versions 1 to 3 are read");
  const std::size_t width = major == 1 ? 2 : 4, first = 8 + width;
  std::size_t length = 0;
  for (std::size_t i = 0; i < width && 8 + i < content.size(); ++i) length |= byte(8 + i) << (8 * i);
  if (content.size() < first || content.size() - first < length) fail_at(file, "it ends within its header", "Write it again, whole");
  return {content.substr(first, length), content.substr(first + length)};
}

// From column-major to row-major order.
std::vector<std::byte> by_rows(const std::vector<std::byte>& columns, const Shape& shape, std::size_t element) {
  std::vector<std::byte> rows(columns.size());
  std::vector<std::int64_t> at(shape.rank(), 0);
  for (std::size_t to = 0; to < rows.size(); to += element) {
    std::int64_t from = 0;
    for (std::size_t d = shape.rank(); d-- > 0;) from = from * shape[d] + at[d];
    std::memcpy(rows.data() + to, columns.data() + static_cast<std::size_t>(from) * element, element);
    for (std::size_t d = shape.rank(); d-- > 0;) {
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
  return rows;
}

// float32 holds every bf16.
NpyArray as_f32(const NpyArray& array) {
  NpyArray wide{DType::f32, array.shape, std::vector<std::byte>(array.bytes.size() * 2)};
  for (std::size_t i = 0; i < array.bytes.size() / 2; ++i) {
    bfloat16 v;
    std::memcpy(&v, array.bytes.data() + 2 * i, 2);
    const float f = v;
    std::memcpy(wide.bytes.data() + 4 * i, &f, 4);
  }
  return wide;
}

}  // namespace

NpyArray read_npy(const std::filesystem::path& file) {
  const std::string content = content_of(file.string(), "Give a .npy file");
  const auto [header_text, data] = split(file, content);
  const Header header = HeaderReader(file, header_text).read();
  __int128 bytes = size_of(header.dtype);
  for (std::int64_t size : header.shape) {
    bytes *= size;
    if (bytes > std::numeric_limits<std::int64_t>::max())
      fail_at(file, fmt::format("an array of shape {} is too large", header.shape.text()), "Check the file");
  }
  if (static_cast<__int128>(data.size()) != bytes)
    fail_at(file,
            fmt::format("{} bytes of data where shape {} of {} needs {}", data.size(), header.shape.text(), name_of(header.dtype),
                        static_cast<std::int64_t>(bytes)),
            "Write it again, whole");
  NpyArray array{header.dtype, header.shape, room_for<std::byte>(data.size(), "an array of a file")};
  if (!data.empty()) std::memcpy(array.bytes.data(), data.data(), data.size());
  if (header.dtype == DType::boolean)
    for (std::byte& b : array.bytes) b = b != std::byte{0} ? std::byte{1} : std::byte{0};
  if (header.by_columns) array.bytes = by_rows(array.bytes, array.shape, size_of(array.dtype));
  return array;
}

void write_npy(const std::filesystem::path& file, const NpyArray& array) {
  if (array.dtype == DType::bf16) {
    write_npy(file, as_f32(array));
    return;
  }
  std::string shape = fmt::format("{}", fmt::join(array.shape, ", "));
  if (array.shape.rank() == 1) shape += ",";
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descriptor(array.dtype), shape);
  // Spaces up to a line break, so that the data begin at a multiple of 64 bytes.
  header.append(63 - (magic.size() + 4 + header.size()) % 64, ' ');
  header += '\n';

  std::filesystem::path partial = file;
  partial += ".partial";
  std::ofstream out(partial, std::ios::binary | std::ios::trunc);
  out << magic << '\x01' << '\0' << static_cast<char>(header.size() & 0xff) << static_cast<char>(header.size() >> 8) << header;
  out.write(reinterpret_cast<const char*>(array.bytes.data()), static_cast<std::streamsize>(array.bytes.size()));
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(partial, file, error);
  if (!out || error) {
    std::error_code ignored;
    std::filesystem::remove(partial, ignored);
    fail_at(file, "it cannot be written", "Name a folder you may write to, with space left");
  }
}

NpyArray npy_of(const reference::Array& array) {
  NpyArray npy{array.dtype, array.shape, room_for<std::byte>(array.values.size() * size_of(array.dtype), "a result")};
  reference::to_buffer(array, npy.bytes.data(), View::dense(array.dtype, array.shape));
  return npy;
}

reference::Array values_of(const NpyArray& array) { return reference::from_buffer(array.bytes.data(), View::dense(array.dtype, array.shape)); }

}  // namespace cotan::tools
