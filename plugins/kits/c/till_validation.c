#include "till_validation.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static till_string_t formatted(const char *format, va_list values) {
  char *text = NULL;
  int length = vasprintf(&text, format, values);
  if (length < 0) abort();
  return (till_string_t){(uint8_t *)text, (size_t)length};
}

bool till_other(till_error_t *error, const char *message, ...) {
  va_list values;
  va_start(values, message);
  error->tag = TILL_HOOK_ERROR_OTHER;
  error->val.other = formatted(message, values);
  va_end(values);
  return false;
}

bool till_is_same(till_string_t one, till_string_t other) {
  return one.len == other.len && memcmp(one.ptr, other.ptr, one.len) == 0;
}

bool till_is_listed(till_string_t wanted, const char *list) {
  for (const char *at = list; *at != '\0';) {
    const char *end = at + strcspn(at, ","), *last = end;
    while (at < last && *at == ' ') at++;
    while (at < last && last[-1] == ' ') last--;
    if (wanted.len == (size_t)(last - at) && memcmp(wanted.ptr, at, wanted.len) == 0) return true;
    at = *end == ',' ? end + 1 : end;
  }
  return false;
}

bool till_only_settings(const char *const *known, till_error_t *error) {
  char list[1024] = "";
  for (const char *const *key = known; *key != NULL; key++) {
    size_t length = strlen(list);
    snprintf(list + length, sizeof list - length, "%s%s", length == 0 ? "" : ", ", *key);
  }
  till_list_string_t keys;
  till_settings_keys(&keys);
  bool is_known = true;
  for (size_t i = 0; i < keys.len && is_known; i++) {
    is_known = till_is_listed(keys.ptr[i], list);
    if (!is_known) {
      till_other(error, "there is no setting %.*s; there are %s", (int)keys.ptr[i].len, keys.ptr[i].ptr, list);
    }
  }
  till_list_string_free(&keys);
  return is_known;
}

// Up to nine digits: more pieces than that no cart has.
static bool read_number(const char *text, uint32_t *number) {
  size_t length = strspn(text, "0123456789");
  if (length < 1 || length > 9 || text[length] != '\0') return false;
  *number = (uint32_t)strtoul(text, NULL, 10);
  return true;
}

bool till_number_setting(const char *key, uint32_t *number, bool *is_set, till_error_t *error) {
  char *text = till_setting(key);
  *is_set = text != NULL;
  bool is_fine = !*is_set || read_number(text, number) ||
                 till_other(error, "the setting %s is \"%s\", wanted a whole number", key, text);
  free(text);
  return is_fine;
}

uint64_t till_pieces_of(const till_cart_t *cart, till_string_t item) {
  uint64_t pieces = 0;
  for (size_t i = 0; i < cart->lines.len; i++) {
    if (till_is_same(cart->lines.ptr[i].item, item)) pieces += cart->lines.ptr[i].quantity;
  }
  return pieces;
}

static bool is_on(const till_attribute_value_t *value) {
  if (value->tag == TILL_ATTRIBUTE_VALUE_FLAG) return value->val.flag;
  return value->tag == TILL_ATTRIBUTE_VALUE_TEXT && till_is_listed(value->val.text, "on, true, yes, 1");
}

bool till_attribute_is_on(const till_cart_t *cart, const char *key) {
  for (size_t i = 0; i < cart->attributes.len; i++) {
    const till_attribute_t *attribute = &cart->attributes.ptr[i];
    if (till_equals(attribute->key, key) && is_on(&attribute->value)) return true;
  }
  return false;
}

void till_products_of(const till_cart_t *cart, till_facts_list_option_product_t *products) {
  *products = (till_facts_list_option_product_t){};
  if (cart->lines.len == 0) return;
  till_list_string_t items = {calloc(cart->lines.len, sizeof(till_string_t)), cart->lines.len};
  for (size_t i = 0; i < items.len; i++) items.ptr[i] = cart->lines.ptr[i].item;
  till_facts_products(&items, products);
  free(items.ptr);
}

static exports_till_validation_violation_t *append(till_violations_t *violations, const char *code, const char *message,
                                                   va_list values) {
  size_t count = violations->len++;
  violations->ptr = realloc(violations->ptr, (count + 1) * sizeof *violations->ptr);
  if (violations->ptr == NULL) abort();
  exports_till_validation_violation_t *violation = &violations->ptr[count];
  till_string_dup(&violation->code, code);
  violation->message = formatted(message, values);
  violation->subject.tag = EXPORTS_TILL_VALIDATION_SUBJECT_CART;
  return violation;
}

void till_violate(till_violations_t *violations, const char *code, const char *message, ...) {
  va_list values;
  va_start(values, message);
  append(violations, code, message, values);
  va_end(values);
}

void till_violate_line(till_violations_t *violations, uint32_t line, const char *code, const char *message, ...) {
  va_list values;
  va_start(values, message);
  exports_till_validation_violation_t *violation = append(violations, code, message, values);
  va_end(values);
  violation->subject.tag = EXPORTS_TILL_VALIDATION_SUBJECT_LINE;
  violation->subject.val.line = line;
}

void till_violate_attribute(till_violations_t *violations, const char *key, const char *code, const char *message, ...) {
  va_list values;
  va_start(values, message);
  exports_till_validation_violation_t *violation = append(violations, code, message, values);
  va_end(values);
  violation->subject.tag = EXPORTS_TILL_VALIDATION_SUBJECT_ATTRIBUTE;
  till_string_dup(&violation->subject.val.attribute, key);
}
