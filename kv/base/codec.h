// One definition of a struct's fields gives its encoding, decoding and hash.
//
//   struct Prepare { Ballot ballot; Slot from; DECREE_FIELDS(ballot, from) };
//   std::string bytes = Encode(prepare);
//   Result<Prepare> back = Decode<Prepare>(bytes);
//
// Unsigned integers are LEB128 varints, signed ones zigzag varints; strings and sequences carry
// their length; optionals and variants a tag. Decoding never reads outside its input, never trusts
// a length before it is checked against what is left, and refuses trailing bytes and enums out of
// range.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "decree/result.h"
#include "kv/base/ids.h"
#include "kv/base/time.h"

#define DECREE_FIELDS(...)                     \
  auto Tie() { return std::tie(__VA_ARGS__); } \
  auto Tie() const { return std::tie(__VA_ARGS__); }

namespace decree {

// Bytes shared by reference: a value is read once from the socket and written once to the log, and
// every holder in between (log, outbox, state machine) points at the same copy. Null means empty.
using Blob = std::shared_ptr<const std::string>;
inline std::string_view View(const Blob& blob) {
  return blob ? std::string_view(*blob) : std::string_view();
}

// The largest valid enumerator; specialise it beside the enum (decoding refuses what is above).
template <class E>
inline constexpr E kEnumMax = E::kMax;
template <>
inline constexpr Errc kEnumMax<Errc> = kMaxErrc;

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  void Varint(std::uint64_t v) {
    while (v >= 0x80) {
      out_.push_back(static_cast<char>(v | 0x80));
      v >>= 7;
    }
    out_.push_back(static_cast<char>(v));
  }
  void Raw(std::string_view bytes) { out_.append(bytes); }
  void Sized(std::string_view bytes) {
    Varint(bytes.size());
    Raw(bytes);
  }

 private:
  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  bool ok() const { return ok_; }
  bool done() const { return ok_ && in_.empty(); }
  std::size_t left() const { return in_.size(); }
  void Fail() {
    ok_ = false;
    in_ = {};
  }
  std::uint64_t Varint() {
    std::uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && !in_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      v |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return v;
    }
    Fail();
    return 0;
  }
  std::string_view Raw(std::size_t size) {
    if (size > in_.size()) {
      Fail();
      return {};
    }
    const std::string_view bytes = in_.substr(0, size);
    in_.remove_prefix(size);
    return bytes;
  }
  std::string_view Sized() { return Raw(Varint()); }
  // The count of a sequence; each element takes at least one byte, so a larger count is a lie.
  std::size_t Count() {
    const std::uint64_t n = Varint();
    if (n > in_.size()) Fail();
    return ok_ ? static_cast<std::size_t>(n) : 0;
  }

 private:
  std::string_view in_;
  bool ok_ = true;
};

template <class T>
concept HasFields = requires(T t) {
  t.Tie();
};

// ---- encoding ----

template <class T>
void Put(Writer& w, const T& v);

namespace codec_detail {
template <class T>
struct IsStrongId : std::false_type {};
template <class Tag, class Rep>
struct IsStrongId<StrongId<Tag, Rep>> : std::true_type {};
template <class T>
struct IsPair : std::false_type {};
template <class A, class B>
struct IsPair<std::pair<A, B>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class K, class V>
struct IsMap<std::map<K, V>> : std::true_type {};
template <class T>
struct IsVariant : std::false_type {};
template <class... T>
struct IsVariant<std::variant<T...>> : std::true_type {};

template <class V, std::size_t I = 0>
void GetVariant(Reader& r, V& v, std::size_t index);
}  // namespace codec_detail

template <class T>
void Put(Writer& w, const T& v) {
  using namespace codec_detail;
  if constexpr (std::is_enum_v<T>) {
    w.Varint(static_cast<std::uint64_t>(v));
  } else if constexpr (std::is_same_v<T, bool> || std::is_unsigned_v<T>) {
    w.Varint(v);
  } else if constexpr (std::is_same_v<T, double>) {
    char raw[sizeof v];
    std::memcpy(raw, &v, sizeof v);
    w.Raw({raw, sizeof raw});
  } else if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
    const auto s = static_cast<std::int64_t>(v);
    w.Varint((static_cast<std::uint64_t>(s) << 1) ^ static_cast<std::uint64_t>(s >> 63));
  } else if constexpr (IsStrongId<T>::value) {
    w.Varint(v.value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    w.Sized(v);
  } else if constexpr (std::is_same_v<T, Blob>) {
    w.Sized(View(v));
  } else if constexpr (IsOptional<T>::value) {
    w.Varint(v.has_value());
    if (v) Put(w, *v);
  } else if constexpr (IsPair<T>::value) {
    Put(w, v.first);
    Put(w, v.second);
  } else if constexpr (IsVector<T>::value || IsMap<T>::value) {
    w.Varint(v.size());
    for (const auto& item : v) Put(w, item);
  } else if constexpr (IsVariant<T>::value) {
    w.Varint(v.index());
    std::visit([&w](const auto& alternative) { Put(w, alternative); }, v);
  } else {
    static_assert(HasFields<T>, "add DECREE_FIELDS(...) to the struct");
    std::apply([&w](const auto&... field) { (Put(w, field), ...); }, v.Tie());
  }
}

template <class T>
void AppendEncoded(std::string& out, const T& v) {
  Writer w(out);
  Put(w, v);
}

template <class T>
std::string Encode(const T& v) {
  std::string out;
  AppendEncoded(out, v);
  return out;
}

// ---- decoding ----

template <class T>
void Get(Reader& r, T& v) {
  using namespace codec_detail;
  if constexpr (std::is_enum_v<T>) {
    const std::uint64_t raw = r.Varint();
    if (raw > static_cast<std::uint64_t>(kEnumMax<T>)) r.Fail();
    v = static_cast<T>(r.ok() ? raw : 0);
  } else if constexpr (std::is_same_v<T, bool> || std::is_unsigned_v<T>) {
    const std::uint64_t raw = r.Varint();
    v = static_cast<T>(raw);
    if (static_cast<std::uint64_t>(v) != raw) r.Fail();
  } else if constexpr (std::is_same_v<T, double>) {
    const std::string_view raw = r.Raw(sizeof v);
    if (r.ok()) std::memcpy(&v, raw.data(), sizeof v);
  } else if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
    const std::uint64_t raw = r.Varint();
    const auto wide = static_cast<std::int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
    v = static_cast<T>(wide);
    if (static_cast<std::int64_t>(v) != wide) r.Fail();
  } else if constexpr (IsStrongId<T>::value) {
    Get(r, v.value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    v.assign(r.Sized());
  } else if constexpr (std::is_same_v<T, Blob>) {
    const std::string_view bytes = r.Sized();
    v = bytes.empty() ? nullptr : std::make_shared<const std::string>(bytes);
  } else if constexpr (IsOptional<T>::value) {
    bool present = false;
    Get(r, present);
    v.reset();
    if (present && r.ok()) Get(r, v.emplace());
  } else if constexpr (IsPair<T>::value) {
    Get(r, v.first);
    Get(r, v.second);
  } else if constexpr (IsVector<T>::value) {
    v.clear();
    const std::size_t n = r.Count();
    for (std::size_t i = 0; i < n && r.ok(); ++i) Get(r, v.emplace_back());
  } else if constexpr (IsMap<T>::value) {
    v.clear();
    const std::size_t n = r.Count();
    for (std::size_t i = 0; i < n && r.ok(); ++i) {
      std::pair<typename T::key_type, typename T::mapped_type> item;
      Get(r, item);
      if (!v.insert(std::move(item)).second) r.Fail();
    }
  } else if constexpr (IsVariant<T>::value) {
    GetVariant(r, v, static_cast<std::size_t>(r.Varint()));
  } else {
    static_assert(HasFields<T>, "add DECREE_FIELDS(...) to the struct");
    std::apply([&r](auto&... field) { (Get(r, field), ...); }, v.Tie());
  }
}

namespace codec_detail {
template <class V, std::size_t I>
void GetVariant(Reader& r, V& v, std::size_t index) {
  if constexpr (I == std::variant_size_v<V>) {
    r.Fail();
  } else if (index == I) {
    Get(r, v.template emplace<I>());
  } else {
    GetVariant<V, I + 1>(r, v, index);
  }
}
}  // namespace codec_detail

template <class T>
Result<T> Decode(std::string_view bytes) {
  Reader r(bytes);
  T v{};
  Get(r, v);
  if (!r.done()) return Error(Errc::kCorruption, "malformed message");
  return v;
}

}  // namespace decree
