#include "till_validation.hpp"

#include <algorithm>
#include <charconv>

namespace till {

std::uint64_t Cart::pieces_of(std::string_view item) const {
  std::uint64_t pieces = 0;
  for (const Line &line : lines) pieces += line.item == item ? line.quantity : 0;
  return pieces;
}

bool Cart::attribute_is_on(std::string_view key) const {
  return std::ranges::any_of(attributes, [&](const Attribute &attribute) {
    if (attribute.key != key) return false;
    if (auto flag = std::get_if<bool>(&attribute.value.held)) return *flag;
    auto text = std::get_if<std::string>(&attribute.value.held);
    return text != nullptr && is_listed(*text, "on, true, yes, 1");
  });
}

bool is_listed(std::string_view wanted, std::string_view list) {
  while (!list.empty()) {
    std::string_view entry = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), entry.size() + 1));
    while (entry.starts_with(' ')) entry.remove_prefix(1);
    while (entry.ends_with(' ')) entry.remove_suffix(1);
    if (!entry.empty() && entry == wanted) return true;
  }
  return false;
}

Result<std::monostate> only_settings(std::initializer_list<std::string_view> known) {
  till_list_string_t keys;
  till_settings_keys(&keys);
  std::optional<std::string> unknown;
  for (const till_string_t &key : std::span(keys.ptr, keys.len)) {
    if (std::ranges::find(known, abi::view(key)) == known.end()) unknown = std::string(abi::view(key));
    if (unknown) break;
  }
  till_list_string_free(&keys);
  if (!unknown) return std::monostate();
  std::string list;
  for (std::string_view key : known) list.append(list.empty() ? "" : ", ").append(key);
  return other(text("there is no setting ", *unknown, "; there are ", list));
}

Result<std::optional<std::uint32_t>> number_setting(std::string_view key) {
  std::optional<std::string> value = setting(key);
  if (!value) return std::nullopt;
  std::uint32_t number;
  const char *end = value->data() + value->size();
  std::from_chars_result read = std::from_chars(value->data(), end, number);
  // Up to nine digits: more pieces than that no cart has.
  if (read.ec != std::errc() || read.ptr != end || value->size() > 9) {
    return other(text("the setting ", key, " is \"", *value, "\", wanted a whole number"));
  }
  return number;
}

std::vector<std::optional<Product>> products_of(const Cart &cart) {
  std::vector<till_string_t> items;
  for (const Line &line : cart.lines) items.push_back(abi::borrowed(line.item));
  till_list_string_t wanted{items.data(), items.size()};
  till_facts_list_option_product_t answered;
  till_facts_products(&wanted, &answered);
  std::vector<std::optional<Product>> products(answered.len);
  for (std::size_t i = 0; i < answered.len; i++) {
    if (!answered.ptr[i].is_some) continue;
    const till_facts_product_t &from = answered.ptr[i].val;
    Product product{std::string(abi::view(from.id)), std::string(abi::view(from.title)), std::nullopt, {}};
    if (from.price.is_some) product.price = Amount::of_host(from.price.val);
    for (const till_string_t &tag : std::span(from.tags.ptr, from.tags.len)) product.tags.emplace_back(abi::view(tag));
    products[i] = std::move(product);
  }
  till_facts_list_option_product_free(&answered);
  return products;
}

namespace {

Cart cart_of(const till_cart_t &from) {
  Cart cart{from.purpose == TILL_PURPOSE_CHECKOUT,
            from.at_ms,
            abi::view(from.currency.code),
            from.currency.decimals,
            {},
            abi::attributes_of(from.attributes.ptr, from.attributes.len),
            {}};
  for (const till_line_t &line : std::span(from.lines.ptr, from.lines.len)) {
    std::optional<std::uint32_t> bundle;
    if (line.bundle.is_some) bundle = line.bundle.val;
    cart.lines.push_back({line.id, abi::view(line.item), abi::view(line.title), line.quantity,
                          Amount::of_host(line.unit_price), bundle,
                          abi::attributes_of(line.attributes.ptr, line.attributes.len)});
  }
  for (const till_string_t &code : std::span(from.codes.ptr, from.codes.len)) cart.codes.push_back(abi::view(code));
  return cart;
}

exports_till_validation_subject_t subject_of(const Subject &from) {
  exports_till_validation_subject_t subject{};
  if (auto line = std::get_if<OfLine>(&from)) {
    subject.tag = EXPORTS_TILL_VALIDATION_SUBJECT_LINE;
    subject.val.line = line->id;
  } else if (auto shipping = std::get_if<OfShippingAddress>(&from)) {
    subject.tag = EXPORTS_TILL_VALIDATION_SUBJECT_SHIPPING_ADDRESS;
    subject.val.shipping_address = abi::copied(shipping->field);
  } else if (auto billing = std::get_if<OfBillingAddress>(&from)) {
    subject.tag = EXPORTS_TILL_VALIDATION_SUBJECT_BILLING_ADDRESS;
    subject.val.billing_address = abi::copied(billing->field);
  } else if (auto code = std::get_if<OfCode>(&from)) {
    subject.tag = EXPORTS_TILL_VALIDATION_SUBJECT_CODE;
    subject.val.code = abi::copied(code->code);
  } else if (auto attribute = std::get_if<OfAttribute>(&from)) {
    subject.tag = EXPORTS_TILL_VALIDATION_SUBJECT_ATTRIBUTE;
    subject.val.attribute = abi::copied(attribute->key);
  } else {
    subject.tag = EXPORTS_TILL_VALIDATION_SUBJECT_CART;
  }
  return subject;
}

void hand_over(const std::vector<Violation> &from, exports_till_validation_list_violation_t *to) {
  *to = {abi::array<exports_till_validation_violation_t>(from.size()), from.size()};
  for (std::size_t i = 0; i < from.size(); i++) {
    to->ptr[i] = {abi::copied(from[i].code), abi::copied(from[i].message), subject_of(from[i].subject)};
  }
}

std::string message_of(const Error &error) {
  return std::visit(
      [](const auto &why) {
        if constexpr (requires { why.message; }) {
          return why.message;
        } else {
          return text(why.item, " is out of stock");
        }
      },
      error);
}

void hand_over(const Error &from, exports_till_validation_hook_error_t *to) {
  if (std::holds_alternative<Unavailable>(from)) {
    to->tag = TILL_HOOK_ERROR_UNAVAILABLE;
    to->val.unavailable = abi::copied(message_of(from));
  } else {
    to->tag = TILL_HOOK_ERROR_OTHER;
    to->val.other = abi::copied(message_of(from));
  }
}

}  // namespace

}  // namespace till

extern "C" bool exports_till_validation_validate(till_trace_context_t *call, till_cart_t *cart,
                                                 exports_till_validation_list_violation_t *violations,
                                                 exports_till_validation_hook_error_t *error) {
  till::Result<std::vector<till::Violation>> decided = till::validate(till::Span(call), till::cart_of(*cart));
  if (decided.has_value()) {
    till::hand_over(*decided, violations);
  } else {
    till::hand_over(decided.error(), error);
  }
  till_trace_context_free(call);
  exports_till_validation_cart_free(cart);
  return decided.has_value();
}
