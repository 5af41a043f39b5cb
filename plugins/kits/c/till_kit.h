// What a Till plugin in C needs beside its bindings: texts, attributes, settings, amounts, and spans that end with their block.
//
// Telemetry never fails a call: a text that isn't UTF-8 is written with question marks, and what has no key or value is
// dropped.
//
// Texts handed to the host are borrowed: `till_text` copies nothing. What the host hands over, and what a plugin
// answers, is on the heap: free the one with the bindings' `..._free`, make the other with `till_string_dup`.

#ifndef TILL_KIT_H
#define TILL_KIT_H

#include "till.h"

// A string that borrows the text.
till_string_t till_text(const char *text);

bool till_equals(till_string_t string, const char *text);

// Returns the plugin's setting of that name as a text that is yours to free, or NULL if nothing is set.
char *till_setting(const char *key);

// Whether the plugin's setting of that name is `on`, `true`, `yes` or `1`.
bool till_setting_is_on(const char *key);

// Attributes that borrow their texts. A number that is past the interface's 32 bits becomes a decimal, and one that no double
// has exactly becomes a text, of which the last 32 are kept.
till_attribute_t till_text_of(const char *key, const char *value);
till_attribute_t till_integer(const char *key, int64_t value);
till_attribute_t till_decimal(const char *key, double value);
till_attribute_t till_flag(const char *key, bool value);

// A span, known by its trace context.
typedef till_trace_context_t till_span_t;

// Declares a span that ends when its variable goes out of scope, however that comes about:
//
//     till_scoped_span pricing = till_start_span(ctx, "price_cart");
#define till_scoped_span __attribute__((cleanup(till_end_span))) till_span_t

till_span_t till_start_span(till_trace_context_t *parent, const char *name);

void till_end_span(till_span_t *span);

void till_set(till_span_t *span, till_attribute_t attribute);

// Amounts are whole minor units from 0 to TILL_AMOUNT_MAX, which every language of a plugin holds exactly. What follows is the
// one right way to take a share of one: nothing goes through a fraction, and nothing wraps. What can't be an amount is false,
// with a message that names the field; hand that on with `return till_other(error, wrong.text)`.
#define TILL_AMOUNT_MAX ((UINT64_C(1) << 53) - 1)

// Why a number isn't one to work with.
typedef struct {
  char text[192];
} till_wrong_t;

// What becomes of the part of a share that is smaller than a minor unit.
typedef enum { TILL_DOWN, TILL_HALF_UP, TILL_HALF_EVEN, TILL_UP } till_rounding_t;

// Whether the number is an amount; `field` is what it is called in the message.
bool till_amount(const char *field, uint64_t value, till_wrong_t *wrong);

// Reads the plugin's setting of that name as an amount in minor units. Not set, it is 0 and `is_set` false.
bool till_amount_setting(const char *key, uint64_t *amount, bool *is_set, till_wrong_t *wrong);

bool till_plus(uint64_t one, uint64_t other, uint64_t *sum, till_wrong_t *wrong);

// Subtracts at most one from one: an amount is never below 0, where C's own minus would make a very large one.
bool till_minus(uint64_t one, uint64_t other, uint64_t *rest, till_wrong_t *wrong);

// Takes a whole percentage of an amount. For a fraction of a percent take till_ratio_of: 7.5 % is the ratio 75 to 1000.
bool till_percent_of(uint64_t of, uint64_t percent, till_rounding_t rounding, uint64_t *share, till_wrong_t *wrong);

// Takes a share of an amount: 19 to 119 is the tax of 19 % within a price.
bool till_ratio_of(uint64_t of, uint64_t numerator, uint64_t denominator, till_rounding_t rounding, uint64_t *share,
                   till_wrong_t *wrong);

// Splits an amount over `count` lines by their weights, which are what each costs or any other whole numbers, into `parts`. The
// parts sum to the amount: each gets its share rounded down, and what is left goes in single units to those whose shares were
// cut most, the first line first where they were cut alike. Where all weights are 0, all weigh the same.
bool till_split(uint64_t whole, const uint64_t *weights, size_t count, uint64_t *parts, till_wrong_t *wrong);

// Writes a log line that carries the span's ids and one attribute.
void till_log(till_span_t *span, till_telemetry_level_t level, const char *message, till_attribute_t attribute);

#endif
