// Refuses more than so many pieces of an item, and items that want a confirmation without it.
//
// | setting | what it is | without it |
// |---|---|---|
// | `most` | pieces of an item, over all its lines | any number |
// | `items` | the items that `most` is about, with commas between | all items |
// | `tag` | the catalogue's tag of items that want a confirmation | `age-restricted` |
// | `confirmation` | the cart's attribute that confirms, with `true`, `yes`, `on` or `1` | `age_confirmed` |

#include "till_validation.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const KNOWN[] = {"most", "items", "tag", "confirmation", NULL};

static bool is_first_of_item(const till_cart_t *cart, size_t at) {
  for (size_t i = 0; i < at; i++) {
    if (till_is_same(cart->lines.ptr[i].item, cart->lines.ptr[at].item)) return false;
  }
  return true;
}

// Adds a violation for each item of which there are too many, about its first line. Without `items` that is any item.
static void add_too_many(const till_cart_t *cart, uint32_t most, const char *items, till_violations_t *to) {
  for (size_t i = 0; i < cart->lines.len; i++) {
    const till_line_t *line = &cart->lines.ptr[i];
    bool is_limited = items == NULL || *items == '\0' || till_is_listed(line->item, items);
    if (!is_limited || !is_first_of_item(cart, i) || till_pieces_of(cart, line->item) <= most) continue;
    till_violate_line(to, line->id, "too-many", "At most %" PRIu32 " of %.*s can be ordered.", most, (int)line->title.len,
                      (const char *)line->title.ptr);
  }
}

// Adds the violation of a cart that holds an item with the tag and isn't confirmed. An item that the catalogue doesn't know has no
// tags.
static void add_unconfirmed(const till_cart_t *cart, const char *tag, const char *key, till_violations_t *to) {
  if (till_attribute_is_on(cart, key)) return;
  till_facts_list_option_product_t products;
  till_products_of(cart, &products);
  bool is_found = false;
  for (size_t i = 0; i < products.len && !is_found; i++) {
    const till_facts_product_t *product = &products.ptr[i].val;
    for (size_t k = 0; products.ptr[i].is_some && k < product->tags.len && !is_found; k++) {
      is_found = till_equals(product->tags.ptr[k], tag);
    }
    if (is_found) {
      till_violate_attribute(to, key, "unconfirmed", "%.*s needs a confirmation.", (int)product->title.len,
                             (const char *)product->title.ptr);
    }
  }
  till_facts_list_option_product_free(&products);
}

bool exports_till_validation_validate(till_span_t *call, till_cart_t *cart, till_violations_t *violations,
                                      till_error_t *error) {
  *violations = (till_violations_t){};
  uint32_t most;
  bool is_limited;
  bool is_decided = till_only_settings(KNOWN, error) && till_number_setting("most", &most, &is_limited, error);
  if (is_decided) {
    char *items = till_setting("items"), *tag = till_setting("tag"), *key = till_setting("confirmation");
    if (is_limited) add_too_many(cart, most, items, violations);
    add_unconfirmed(cart, tag == NULL ? "age-restricted" : tag, key == NULL ? "age_confirmed" : key, violations);
    free(items);
    free(tag);
    free(key);
  }
  till_trace_context_free(call);
  exports_till_validation_cart_free(cart);
  return is_decided;
}
