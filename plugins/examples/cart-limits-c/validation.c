// Refuses more than so many pieces of an item, and items that want a confirmation without it.
//
// | setting | what it is | without it |
// |---|---|---|
// | `most` | pieces of an item, over all its lines | any number |
// | `items` | the items that `most` is about, with commas between | all items |
// | `tag` | the catalogue's tag of items that want a confirmation | `age-restricted` |
// | `confirmation` | the cart's attribute that confirms, with `true`, `yes`, `on` or `1` | `age_confirmed` |
//
// Nothing that is asked of the host is freed: every call has an instance of its own, which is dropped after it.

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "till.h"

typedef exports_till_validation_violation_t violation_t;

static const char *const KNOWN = "most, items, tag, confirmation";

static till_string_t text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static till_string_t text(const char *format, ...) {
  va_list values;
  char *made = NULL;
  va_start(values, format);
  int length = vasprintf(&made, format, values);
  va_end(values);
  if (length < 0) abort();
  return (till_string_t){(uint8_t *)made, (size_t)length};
}

static bool is_same(till_string_t one, till_string_t other) {
  return one.len == other.len && memcmp(one.ptr, other.ptr, one.len) == 0;
}

// Returns whether the text is one of those between the commas of a list. Blanks around them don't count.
static bool is_listed(till_string_t wanted, till_string_t list) {
  const char *at = (const char *)list.ptr, *end = at + list.len;
  while (at < end) {
    const char *comma = memchr(at, ',', (size_t)(end - at));
    const char *next = comma == NULL ? end : comma;
    const char *last = next;
    while (at < last && *at == ' ') at++;
    while (at < last && last[-1] == ' ') last--;
    if (is_same(wanted, (till_string_t){(uint8_t *)at, (size_t)(last - at)})) return true;
    at = next + 1;
  }
  return false;
}

static bool setting(const char *key, till_string_t *value) {
  till_string_t name = text("%s", key);
  return till_settings_get(&name, value);
}

static till_string_t setting_or(const char *key, const char *otherwise) {
  till_string_t value;
  return setting(key, &value) ? value : text("%s", otherwise);
}

static bool fail(exports_till_validation_hook_error_t *error, till_string_t message) {
  error->tag = TILL_HOOK_ERROR_OTHER;
  error->val.other = message;
  return false;
}

static bool check_settings(exports_till_validation_hook_error_t *error) {
  till_list_string_t keys;
  till_settings_keys(&keys);
  till_string_t known = text("%s", KNOWN);
  for (size_t i = 0; i < keys.len; i++) {
    if (is_listed(keys.ptr[i], known)) continue;
    return fail(error, text("there is no setting %.*s; there are %s", (int)keys.ptr[i].len, keys.ptr[i].ptr, KNOWN));
  }
  return true;
}

// Reads up to nine digits: more pieces than that no cart has.
static bool read_number(till_string_t digits, uint32_t *number) {
  *number = 0;
  for (size_t i = 0; i < digits.len; i++) {
    if (digits.ptr[i] < '0' || digits.ptr[i] > '9') return false;
    *number = *number * 10 + (uint32_t)(digits.ptr[i] - '0');
  }
  return digits.len >= 1 && digits.len <= 9;
}

static bool confirms(const till_attribute_value_t *value) {
  if (value->tag == TILL_ATTRIBUTE_VALUE_FLAG) return value->val.flag;
  till_string_t words = text("on, true, yes, 1");
  return value->tag == TILL_ATTRIBUTE_VALUE_TEXT && is_listed(value->val.text, words);
}

// Adds the violation of an item of which there are too many, if the line is the first of the item.
static void add_too_many(const till_cart_t *cart, size_t at, uint32_t most, exports_till_validation_list_violation_t *to) {
  const till_line_t *lines = cart->lines.ptr;
  uint64_t pieces = 0;
  for (size_t i = 0; i < cart->lines.len; i++) {
    if (!is_same(lines[i].item, lines[at].item)) continue;
    if (i < at) return;
    pieces += lines[i].quantity;
  }
  if (pieces <= most) return;
  violation_t *violation = &to->ptr[to->len++];
  till_string_t title = lines[at].title;
  violation->code = text("too-many");
  violation->message = text("At most %" PRIu32 " of %.*s can be ordered.", most, (int)title.len, title.ptr);
  violation->subject.tag = EXPORTS_TILL_VALIDATION_SUBJECT_LINE;
  violation->subject.val.line = lines[at].id;
}

// Adds the violation of a cart that holds an item with the tag and isn't confirmed. An item that the catalogue doesn't know
// has no tags.
static void add_unconfirmed(const till_cart_t *cart, exports_till_validation_list_violation_t *to) {
  till_string_t tag = setting_or("tag", "age-restricted"), key = setting_or("confirmation", "age_confirmed");
  for (size_t i = 0; i < cart->attributes.len; i++) {
    const till_attribute_t *attribute = &cart->attributes.ptr[i];
    if (is_same(attribute->key, key) && confirms(&attribute->value)) return;
  }
  till_list_string_t items = {calloc(cart->lines.len, sizeof(till_string_t)), cart->lines.len};
  for (size_t i = 0; i < items.len; i++) items.ptr[i] = cart->lines.ptr[i].item;
  till_facts_list_option_product_t products;
  till_facts_products(&items, &products);
  for (size_t i = 0; i < products.len; i++) {
    const till_facts_product_t *product = &products.ptr[i].val;
    for (size_t k = 0; products.ptr[i].is_some && k < product->tags.len; k++) {
      if (!is_same(product->tags.ptr[k], tag)) continue;
      violation_t *violation = &to->ptr[to->len++];
      violation->code = text("unconfirmed");
      violation->message = text("%.*s needs a confirmation.", (int)product->title.len, product->title.ptr);
      violation->subject.tag = EXPORTS_TILL_VALIDATION_SUBJECT_ATTRIBUTE;
      violation->subject.val.attribute = key;
      return;
    }
  }
}

bool exports_till_validation_validate(exports_till_validation_trace_context_t *ctx, exports_till_validation_cart_t *cart,
                                      exports_till_validation_list_violation_t *ret,
                                      exports_till_validation_hook_error_t *err) {
  (void)ctx;
  if (!check_settings(err)) return false;
  // One for each line at most, and the confirmation's.
  *ret = (exports_till_validation_list_violation_t){calloc(cart->lines.len + 1, sizeof(violation_t)), 0};
  till_string_t number, items = setting_or("items", "");
  uint32_t most;
  if (setting("most", &number)) {
    if (!read_number(number, &most)) {
      return fail(err, text("the setting most is \"%.*s\", wanted a whole number", (int)number.len, number.ptr));
    }
    for (size_t i = 0; i < cart->lines.len; i++) {
      if (items.len == 0 || is_listed(cart->lines.ptr[i].item, items)) add_too_many(cart, i, most, ret);
    }
  }
  add_unconfirmed(cart, ret);
  return true;
}
