#include "till.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace till {
static till_trace_context_t *current_call = nullptr;
}

// What libc++ says where it would throw, such as at an index past a vector's end. Its own function prints to a stream, which would be
// the component's only import of WASI.
namespace std {
inline namespace __1 {
[[noreturn]] void __libcpp_verbose_abort(const char *format, ...) noexcept {
  char message[512];
  va_list values;
  va_start(values, format);
  vsnprintf(message, sizeof message, format, values);
  va_end(values);
  // Without the place in libc++'s sources, which stands before it, and the line's end.
  const char *said = strstr(message, "libc++");
  if (said == nullptr) said = message;
  message[strcspn(message, "\n")] = '\0';
  if (till::current_call != nullptr) till_log(till::current_call, TILL_TELEMETRY_LEVEL_ERROR, said, till_text_of("", nullptr));
  __builtin_trap();
}
}  // namespace __1
}  // namespace std

namespace till {

namespace {

Error of(const till_wrong_t &wrong) { return Other{wrong.text}; }

Result<Amount> amount_if(bool is_sound, std::uint64_t minor_units, const till_wrong_t &wrong) {
  if (!is_sound) return std::unexpected(of(wrong));
  return Amount::of_host(minor_units);
}

till_rounding_t of(Rounding rounding) { return static_cast<till_rounding_t>(rounding); }

// An attribute that borrows its texts.
till_attribute_t attribute_of(std::string_view key, const Value &value) {
  till_attribute_t attribute;
  if (auto text = std::get_if<std::string>(&value.held)) {
    attribute.value.tag = TILL_ATTRIBUTE_VALUE_TEXT;
    attribute.value.val.text = abi::borrowed(*text);
  } else if (auto number = std::get_if<std::int64_t>(&value.held)) {
    attribute = till_integer("", *number);
  } else if (auto decimal = std::get_if<double>(&value.held)) {
    attribute = till_decimal("", *decimal);
  } else {
    attribute = till_flag("", std::get<bool>(value.held));
  }
  attribute.key = abi::borrowed(key);
  return attribute;
}

}  // namespace

Result<Amount> amount(std::string_view field, std::uint64_t minor_units) {
  till_wrong_t wrong;
  return amount_if(till_amount(std::string(field).c_str(), minor_units, &wrong), minor_units, wrong);
}

Result<Amount> plus(Amount one, Amount other) {
  std::uint64_t sum = 0;
  till_wrong_t wrong;
  return amount_if(till_plus(one.minor_units(), other.minor_units(), &sum, &wrong), sum, wrong);
}

Result<Amount> minus(Amount one, Amount other) {
  std::uint64_t rest = 0;
  till_wrong_t wrong;
  return amount_if(till_minus(one.minor_units(), other.minor_units(), &rest, &wrong), rest, wrong);
}

Result<Amount> percent_of(Amount of_amount, std::uint64_t percent, Rounding rounding) {
  std::uint64_t share = 0;
  till_wrong_t wrong;
  return amount_if(till_percent_of(of_amount.minor_units(), percent, of(rounding), &share, &wrong), share, wrong);
}

Result<Amount> ratio_of(Amount of_amount, std::uint64_t numerator, std::uint64_t denominator, Rounding rounding) {
  std::uint64_t share = 0;
  till_wrong_t wrong;
  bool is_sound = till_ratio_of(of_amount.minor_units(), numerator, denominator, of(rounding), &share, &wrong);
  return amount_if(is_sound, share, wrong);
}

Result<std::vector<Amount>> split(Amount whole, std::span<const std::uint64_t> weights) {
  std::vector<std::uint64_t> parts(weights.size());
  till_wrong_t wrong;
  if (!till_split(whole.minor_units(), weights.data(), weights.size(), parts.data(), &wrong)) {
    return std::unexpected(of(wrong));
  }
  std::vector<Amount> amounts;
  for (std::uint64_t part : parts) amounts.push_back(Amount::of_host(part));
  return amounts;
}

std::optional<std::string> setting(std::string_view key) {
  char *text = till_setting(std::string(key).c_str());
  if (text == nullptr) return std::nullopt;
  std::optional<std::string> value(text);
  std::free(text);
  return value;
}

bool setting_is_on(std::string_view key) { return till_setting_is_on(std::string(key).c_str()); }

Result<std::optional<Amount>> amount_setting(std::string_view key) {
  std::uint64_t minor_units;
  bool is_set;
  till_wrong_t wrong;
  if (!till_amount_setting(std::string(key).c_str(), &minor_units, &is_set, &wrong)) return std::unexpected(of(wrong));
  return is_set ? std::optional(Amount::of_host(minor_units)) : std::nullopt;
}

Span::Span(const Span &parent, std::string_view name) : context_(&started_), is_own_(true) {
  started_ = till_start_span(parent.context_, std::string(name).c_str());
}

Span::Span(till_trace_context_t *call) : context_(call), is_own_(false) { current_call = call; }

Span::~Span() {
  if (is_own_) till_end_span(context_);
}

void Span::set(std::string_view key, const Value &value) const { till_set(context_, attribute_of(key, value)); }

void Span::log(Level level, std::string_view message) const {
  till_log(context_, static_cast<till_telemetry_level_t>(level), std::string(message).c_str(), till_text_of("", nullptr));
}

void Span::log(Level level, std::string_view message, std::string_view key, const Value &value) const {
  till_log(context_, static_cast<till_telemetry_level_t>(level), std::string(message).c_str(), attribute_of(key, value));
}

#ifndef TILL_0_2
void sleep(std::uint32_t milliseconds) { till_host_sleep(milliseconds); }
double random() { return till_host_random(); }
#endif

namespace abi {

till_string_t borrowed(std::string_view text) {
  // Without a pointer it would be an attribute without a value.
  const char *at = text.empty() ? "" : text.data();
  return {const_cast<std::uint8_t *>(reinterpret_cast<const std::uint8_t *>(at)), text.size()};
}

till_string_t copied(std::string_view text) {
  if (text.empty()) return {nullptr, 0};
  auto *copy = static_cast<std::uint8_t *>(std::malloc(text.size()));
  if (copy == nullptr) std::abort();
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

std::vector<Attribute> attributes_of(const till_attribute_t *from, std::size_t count) {
  std::vector<Attribute> attributes;
  for (const till_attribute_t &attribute : std::span(from, count)) {
    auto value = [&]() -> Value {
      switch (attribute.value.tag) {
        case TILL_ATTRIBUTE_VALUE_INTEGER:
          return attribute.value.val.integer;
        case TILL_ATTRIBUTE_VALUE_DECIMAL:
          return attribute.value.val.decimal;
        case TILL_ATTRIBUTE_VALUE_FLAG:
          return attribute.value.val.flag;
        default:
          return view(attribute.value.val.text);
      }
    };
    attributes.push_back({std::string(view(attribute.key)), value()});
  }
  return attributes;
}

till_attribute_t copied(const Attribute &attribute) {
  till_attribute_t copy = attribute_of(attribute.key, attribute.value);
  copy.key = copied(abi::view(copy.key));
  if (copy.value.tag == TILL_ATTRIBUTE_VALUE_TEXT) copy.value.val.text = copied(abi::view(copy.value.val.text));
  return copy;
}

}  // namespace abi

}  // namespace till
