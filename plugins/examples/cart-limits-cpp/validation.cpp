// Refuses more than so many pieces of an item, and items that want a confirmation without it.

#include "till_validation.hpp"

#include <algorithm>
#include <set>

using till::Cart, till::Result, till::Violation;

namespace {

// Adds a violation for each item of which there are too many, about its first line. Without `items` that is any item.
void add_too_many(const Cart &cart, std::uint32_t most, std::string_view items, std::vector<Violation> &to) {
  std::set<std::string_view> seen;
  for (const till::Line &line : cart.lines) {
    bool is_limited = items.empty() || till::is_listed(line.item, items);
    if (!is_limited || !seen.insert(line.item).second || cart.pieces_of(line.item) <= most) continue;
    std::string message = till::text("At most ", most, " of ", line.title, " can be ordered.");
    to.push_back({"too-many", message, till::OfLine{line.id}});
  }
}

// Adds the violation of a cart that holds an item with the tag and isn't confirmed. An item that the catalogue doesn't know has no
// tags.
void add_unconfirmed(const Cart &cart, const std::string &tag, const std::string &key, std::vector<Violation> &to) {
  if (cart.attribute_is_on(key)) return;
  std::vector<std::optional<till::Product>> products = till::products_of(cart);
  auto found = std::ranges::find_if(products, [&](const std::optional<till::Product> &product) {
    return product && std::ranges::contains(product->tags, tag);
  });
  if (found == products.end()) return;
  to.push_back({"unconfirmed", till::text((*found)->title, " needs a confirmation."), till::OfAttribute{key}});
}

}  // namespace

Result<std::vector<Violation>> till::validate(const Span &, const Cart &cart) {
  TILL_TRY(only_settings({"most", "items", "tag", "confirmation"}));
  std::vector<Violation> violations;
  std::optional<std::uint32_t> most = TILL_TRY(number_setting("most"));
  if (most) add_too_many(cart, *most, setting("items").value_or(""), violations);
  std::string tag = setting("tag").value_or("age-restricted");
  add_unconfirmed(cart, tag, setting("confirmation").value_or("age_confirmed"), violations);
  return violations;
}
