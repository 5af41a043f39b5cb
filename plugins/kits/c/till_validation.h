// What a plugin of the hook validation asks of its cart and its settings, and what it answers.
//
// What a plugin answers is on the heap; these functions copy the texts that they are given. Functions that can fail return false with
// the error filled in: `if (!till_number_setting(…)) return false;`.

#ifndef TILL_VALIDATION_H
#define TILL_VALIDATION_H

#include "till_kit.h"

typedef exports_till_validation_cart_t till_cart_t;
typedef exports_till_validation_list_violation_t till_violations_t;
typedef exports_till_validation_hook_error_t till_error_t;

// Refuses a setting that isn't one of these: a misspelt one would be as good as not set. The list ends with NULL.
bool till_only_settings(const char *const *known, till_error_t *error);

// Reads the setting as a whole number. Not set, `is_set` is false.
bool till_number_setting(const char *key, uint32_t *number, bool *is_set, till_error_t *error);

// Whether the text is one of those between the commas of a list. Blanks around them don't count.
bool till_is_listed(till_string_t wanted, const char *list);

bool till_is_same(till_string_t one, till_string_t other);

// How many pieces of the item all lines have.
uint64_t till_pieces_of(const till_cart_t *cart, till_string_t item);

// Whether the cart's attribute of that key says yes: true, or the text `on`, `true`, `yes` or `1`. What a client sent is a claim, not a
// fact.
bool till_attribute_is_on(const till_cart_t *cart, const char *key);

// Asks for what the catalogue has of the lines' items, in the lines' order. Free it with till_facts_list_option_product_free.
void till_products_of(const till_cart_t *cart, till_facts_list_option_product_t *products);

// Appends a violation of the cart as a whole, of a line by its id, or of the cart's attribute of a key. The message is a printf format.
void till_violate(till_violations_t *violations, const char *code, const char *message, ...)
    __attribute__((format(printf, 3, 4)));
void till_violate_line(till_violations_t *violations, uint32_t line, const char *code, const char *message, ...)
    __attribute__((format(printf, 4, 5)));
void till_violate_attribute(till_violations_t *violations, const char *key, const char *code, const char *message, ...)
    __attribute__((format(printf, 4, 5)));

// Anything that keeps the plugin from deciding. The message is a printf format.
bool till_other(till_error_t *error, const char *message, ...) __attribute__((format(printf, 2, 3)));

#endif
