#include "till_kit.h"

#include <stdlib.h>
#include <string.h>

till_string_t till_text(const char *text) {
  till_string_t string;
  till_string_set(&string, text);
  return string;
}

bool till_equals(till_string_t string, const char *text) {
  return string.len == strlen(text) && memcmp(string.ptr, text, string.len) == 0;
}

char *till_setting(const char *key) {
  till_string_t name = till_text(key), value;
  if (!till_host_setting(&name, &value)) return NULL;
  char *text = strndup((const char *)value.ptr, value.len);
  till_string_free(&value);
  return text;
}

bool till_setting_is_on(const char *key) {
  char *value = till_setting(key);
  bool is_on = value != NULL && (strcmp(value, "on") == 0 || strcmp(value, "true") == 0 ||
                                 strcmp(value, "yes") == 0 || strcmp(value, "1") == 0);
  free(value);
  return is_on;
}

till_attribute_t till_text_of(const char *key, const char *value) {
  return (till_attribute_t){till_text(key), {TILL_ATTRIBUTE_VALUE_TEXT, {.text = till_text(value)}}};
}

till_attribute_t till_integer(const char *key, int32_t value) {
  return (till_attribute_t){till_text(key), {TILL_ATTRIBUTE_VALUE_INTEGER, {.integer = value}}};
}

till_attribute_t till_decimal(const char *key, double value) {
  return (till_attribute_t){till_text(key), {TILL_ATTRIBUTE_VALUE_DECIMAL, {.decimal = value}}};
}

till_attribute_t till_flag(const char *key, bool value) {
  return (till_attribute_t){till_text(key), {TILL_ATTRIBUTE_VALUE_FLAG, {.flag = value}}};
}

till_span_t till_start_span(till_trace_context_t *parent, const char *name) {
  till_string_t text = till_text(name);
  till_span_t span;
  till_telemetry_start_span(parent, &text, &span);
  return span;
}

void till_end_span(till_span_t *span) {
  till_telemetry_end_span(span);
  till_trace_context_free(span);
}

void till_set(till_span_t *span, till_attribute_t attribute) {
  till_telemetry_list_attribute_t one = {&attribute, 1};
  till_telemetry_annotate(span, &one);
}

void till_log(till_span_t *span, till_telemetry_level_t level, const char *message, till_attribute_t attribute) {
  till_string_t text = till_text(message);
  till_telemetry_list_attribute_t one = {&attribute, 1};
  till_telemetry_log(span, level, &text, &one);
}
