// What a Till plugin in C++ has for its calls: results, amounts, settings, texts, and spans that end with their block.
//
// There are no exceptions. A function that can fail answers a till::Result, and TILL_TRY hands the error on:
//
//     till::Amount tax = TILL_TRY(till::percent_of(total, 19, till::Rounding::half_up));
//
// Telemetry never fails a call: a text that isn't UTF-8 is written with question marks.

#ifndef TILL_HPP
#define TILL_HPP

#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

extern "C" {
#include "till_kit.h"
}

namespace till {

// The shop doesn't sell this as it stands: the code is for programs, the message for the customer.
struct Rejected {
  std::string code, message;
};
// There is less of an item than was asked for.
struct OutOfStock {
  std::string item;
  std::uint32_t requested, available;
};
// A write at the same time was faster; the same request may succeed a moment later.
struct Conflict {
  std::string message;
};
// A part that the decision needs gave no answer.
struct Unavailable {
  std::string message;
};
// Anything else that keeps the plugin from deciding.
struct Other {
  std::string message;
};

// Why a plugin has no answer. A hook of track 0.2 knows Unavailable and Other only.
using Error = std::variant<Rejected, OutOfStock, Conflict, Unavailable, Other>;

template <class T>
using Result = std::expected<T, Error>;

// `return till::rejected("expired", "The coupon has expired.");`
inline std::unexpected<Error> rejected(std::string_view code, std::string_view message) {
  return std::unexpected<Error>(Rejected{std::string(code), std::string(message)});
}
inline std::unexpected<Error> conflict(std::string_view message) {
  return std::unexpected<Error>(Conflict{std::string(message)});
}
inline std::unexpected<Error> other(std::string_view message) {
  return std::unexpected<Error>(Other{std::string(message)});
}

// The result's value. The function that this stands in returns the error, if there is one.
#define TILL_TRY(result)                                                                  \
  ({                                                                                      \
    auto till_tried = (result);                                                           \
    if (!till_tried.has_value()) return std::unexpected(std::move(till_tried).error());   \
    std::move(*till_tried);                                                               \
  })

// Puts texts and whole numbers together: text("At most ", 3, " of ", title). std::format would make a plugin ten times as large.
inline std::string_view piece(std::string_view text) { return text; }
inline std::string piece(std::integral auto number) { return std::to_string(number); }
template <class... Parts>
std::string text(const Parts &...parts) {
  std::string whole;
  (whole.append(piece(parts)), ...);
  return whole;
}

// An amount of money: whole minor units from 0 to 2^53 - 1, which every language of a plugin holds exactly. It has no operators but
// comparison, for those of C++ wrap: plus, minus and the shares below are the arithmetic.
class Amount {
 public:
  static constexpr std::uint64_t max = TILL_AMOUNT_MAX;

  constexpr Amount() = default;

  // A constant: Amount::of(499). What is too large doesn't compile.
  static consteval Amount of(std::uint64_t minor_units) {
    if (minor_units > max) __builtin_trap();
    return Amount(minor_units);
  }

  // What the host handed over, which it has checked.
  static constexpr Amount of_host(std::uint64_t minor_units) { return Amount(minor_units); }

  constexpr std::uint64_t minor_units() const { return minor_units_; }
  auto operator<=>(const Amount &) const = default;

 private:
  constexpr explicit Amount(std::uint64_t minor_units) : minor_units_(minor_units) {}
  std::uint64_t minor_units_ = 0;
};

// What becomes of the part of a share that is smaller than a minor unit.
enum class Rounding { down, half_up, half_even, up };

// Makes an amount of a number of your own; `field` is what an error calls it.
Result<Amount> amount(std::string_view field, std::uint64_t minor_units);
Result<Amount> plus(Amount one, Amount other);
// Subtracts at most one from one: an amount is never below 0.
Result<Amount> minus(Amount one, Amount other);
// Takes a whole percentage of an amount. For a fraction of a percent take ratio_of: 7.5 % is the ratio 75 to 1000.
Result<Amount> percent_of(Amount of, std::uint64_t percent, Rounding rounding);
// Takes a share of an amount: 19 to 119 is the tax of 19 % within a price.
Result<Amount> ratio_of(Amount of, std::uint64_t numerator, std::uint64_t denominator, Rounding rounding);
// Splits an amount by weights, which are what lines cost or any other whole numbers. The parts sum to the amount: each gets its share
// rounded down, and what is left goes in single units to those whose shares were cut most, the first line first.
Result<std::vector<Amount>> split(Amount whole, std::span<const std::uint64_t> weights);

// The plugin's setting of that name; nothing if it isn't set.
std::optional<std::string> setting(std::string_view key);
// Whether it is `on`, `true`, `yes` or `1`.
bool setting_is_on(std::string_view key);
// The setting as an amount in minor units; nothing if it isn't set.
Result<std::optional<Amount>> amount_setting(std::string_view key);

// The value of an attribute. A whole number past the interface's 32 bits becomes a decimal, and one that no double has exactly a text.
class Value {
 public:
  std::variant<std::string, std::int64_t, double, bool> held;

  Value(std::string_view text) : held(std::string(text)) {}
  Value(const std::string &text) : held(text) {}
  Value(const char *text) : held(std::string(text == nullptr ? "" : text)) {}
  Value(bool flag) : held(flag) {}
  Value(std::floating_point auto decimal) : held(static_cast<double>(decimal)) {}
  Value(Amount amount) : held(static_cast<std::int64_t>(amount.minor_units())) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Value(T number) {
    if (std::in_range<std::int64_t>(number)) {
      held = static_cast<std::int64_t>(number);
    } else {
      held = std::to_string(number);
    }
  }
};

struct Attribute {
  std::string key;
  Value value;
};

enum class Level { debug, info, warn, error };

// A span of the call's trace, or the call itself. One that the plugin starts ends when its variable goes out of scope:
//
//     till::Span pricing(call, "price_cart");
class Span {
 public:
  Span(const Span &parent, std::string_view name);
  ~Span();
  Span(const Span &) = delete;
  Span &operator=(const Span &) = delete;

  void set(std::string_view key, const Value &value) const;
  // Writes a log line that carries the span's ids.
  void log(Level level, std::string_view message) const;
  void log(Level level, std::string_view message, std::string_view key, const Value &value) const;

  // The call's own span, which the host ends. The kit makes it.
  explicit Span(till_trace_context_t *call);
  // For the kit's calls of the bindings.
  till_trace_context_t *context() const { return context_; }

 private:
  till_trace_context_t started_{};
  till_trace_context_t *context_;
  bool is_own_;
};

#ifndef TILL_0_2
// Waits, without using up the call's processor time.
void sleep(std::uint32_t milliseconds);
// A random number, at least 0 and below 1, that belongs to the order.
double random();
#endif

// Between C++ and the bindings, for the kit.
namespace abi {
// Borrows the text.
till_string_t borrowed(std::string_view text);
// Copies the text to where the bindings free it.
till_string_t copied(std::string_view text);
inline std::string_view view(till_string_t text) { return {reinterpret_cast<const char *>(text.ptr), text.len}; }
// Makes what the bindings free of a vector.
template <class T>
T *array(std::size_t count) {
  return count == 0 ? nullptr : static_cast<T *>(std::calloc(count, sizeof(T)));
}
std::vector<Attribute> attributes_of(const till_attribute_t *from, std::size_t count);
// Copies a value to where the bindings free it.
till_attribute_t copied(const Attribute &attribute);
}  // namespace abi

}  // namespace till

#endif
