// What a Till plugin in C needs beside its bindings: texts, attributes, settings, and spans that end with their block.
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

// Attributes that borrow their texts.
till_attribute_t till_text_of(const char *key, const char *value);
till_attribute_t till_integer(const char *key, int32_t value);
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

// Writes a log line that carries the span's ids and one attribute.
void till_log(till_span_t *span, till_telemetry_level_t level, const char *message, till_attribute_t attribute);

#endif
