// What a plugin of the hook validation is asked, and what it answers. The plugin defines till::validate:
//
//     till::Result<std::vector<till::Violation>> till::validate(const Span &call, const Cart &cart) { … }

#ifndef TILL_VALIDATION_HPP
#define TILL_VALIDATION_HPP

#include "till.hpp"

namespace till {

struct Line {
  // The number by which an answer names this line.
  std::uint32_t id;
  std::string_view item;
  // The name for people.
  std::string_view title;
  std::uint32_t quantity;
  Amount unit_price;
  // The line of which this is a component.
  std::optional<std::uint32_t> bundle;
  std::vector<Attribute> attributes;
};

// A cart, as the hooks before this one left it. Its views end with the call.
struct Cart {
  // Whether an order can come of it; otherwise it is a quote.
  bool is_checkout;
  // Milliseconds since 1970-01-01T00:00:00Z.
  std::uint64_t at_ms;
  std::string_view currency;
  std::uint8_t decimals;
  std::vector<Line> lines;
  // What the client sent besides. Claims, not facts.
  std::vector<Attribute> attributes;
  // Codes that the customer entered.
  std::vector<std::string_view> codes;

  // How many pieces of the item all lines have.
  std::uint64_t pieces_of(std::string_view item) const;
  // Whether the attribute of that key says yes: true, or the text `on`, `true`, `yes` or `1`.
  bool attribute_is_on(std::string_view key) const;
};

// What a violation is about.
struct OfCart {};
struct OfLine {
  std::uint32_t id;
};
struct OfShippingAddress {
  std::string field;
};
struct OfBillingAddress {
  std::string field;
};
struct OfCode {
  std::string code;
};
struct OfAttribute {
  std::string key;
};
using Subject = std::variant<OfCart, OfLine, OfShippingAddress, OfBillingAddress, OfCode, OfAttribute>;

// One thing that keeps the cart from being sold: the code is for programs, the message for the customer.
struct Violation {
  std::string code, message;
  Subject subject = OfCart{};
};

// What the catalogue has of an item.
struct Product {
  std::string id, title;
  std::optional<Amount> price;
  std::vector<std::string> tags;
};

// Asks for what the catalogue has of the lines' items, in the lines' order.
std::vector<std::optional<Product>> products_of(const Cart &cart);

// Refuses a setting that isn't one of these: a misspelt one would be as good as not set. Answers nothing of worth.
Result<std::monostate> only_settings(std::initializer_list<std::string_view> known);
// The setting as a whole number; nothing if it isn't set.
Result<std::optional<std::uint32_t>> number_setting(std::string_view key);
// Whether the text is one of those between the commas of a list. Blanks around them don't count.
bool is_listed(std::string_view wanted, std::string_view list);

// The plugin's decision: what is wrong with the cart, often nothing.
Result<std::vector<Violation>> validate(const Span &call, const Cart &cart);

}  // namespace till

#endif
