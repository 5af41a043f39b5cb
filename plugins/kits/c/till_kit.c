#include "till_kit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The most texts of large numbers that are kept at a time, which is what a span may have of attributes.
#define NUMBERS_MAX 32

// The bindings' function that asks for a setting: the tracks have it in different interfaces.
#ifdef TILL_0_2
#define ASK_SETTING till_settings_get
#else
#define ASK_SETTING till_host_setting
#endif

till_string_t till_text(const char *text) {
  till_string_t string;
  till_string_set(&string, text == NULL ? "" : text);
  return string;
}

bool till_equals(till_string_t string, const char *text) {
  return string.len == strlen(text) && memcmp(string.ptr, text, string.len) == 0;
}

char *till_setting(const char *key) {
  till_string_t name = till_text(key), value;
  if (!ASK_SETTING(&name, &value)) return NULL;
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
  till_string_t text = value == NULL ? (till_string_t){NULL, 0} : till_text(value);
  return (till_attribute_t){till_text(key), {TILL_ATTRIBUTE_VALUE_TEXT, {.text = text}}};
}

till_attribute_t till_integer(const char *key, int64_t value) {
  static char numbers[NUMBERS_MAX][24];
  static size_t next = 0;
  const int64_t exact = INT64_C(1) << 53;
  if (INT32_MIN <= value && value <= INT32_MAX) {
    return (till_attribute_t){till_text(key), {TILL_ATTRIBUTE_VALUE_INTEGER, {.integer = (int32_t)value}}};
  }
  if (-exact <= value && value <= exact) return till_decimal(key, (double)value);
  char *number = numbers[next++ % NUMBERS_MAX];
  snprintf(number, sizeof numbers[0], "%" PRId64, value);
  return till_text_of(key, number);
}

till_attribute_t till_decimal(const char *key, double value) {
  return (till_attribute_t){till_text(key), {TILL_ATTRIBUTE_VALUE_DECIMAL, {.decimal = value}}};
}

till_attribute_t till_flag(const char *key, bool value) {
  return (till_attribute_t){till_text(key), {TILL_ATTRIBUTE_VALUE_FLAG, {.flag = value}}};
}

// How many bytes the character at `at` has, 0 if it isn't UTF-8.
static size_t character(const uint8_t *at, size_t left) {
  uint8_t first = at[0];
  if (first < 0x80) return 1;
  size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes > left) return 0;
  for (size_t i = 1; i < bytes; i++) {
    if ((at[i] & 0xc0) != 0x80) return 0;
  }
  // Longer than need be, surrogates, and past the last character.
  bool is_none = (first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) || (first == 0xf0 && at[1] < 0x90) ||
                 (first == 0xf4 && at[1] > 0x8f);
  return is_none ? 0 : bytes;
}

// Makes a copy of a text that isn't UTF-8, with a question mark for every byte that isn't; the text itself if it is.
static till_string_t readable(till_string_t text) {
  uint8_t *copy = NULL;
  for (size_t at = 0; at < text.len;) {
    size_t bytes = character(text.ptr + at, text.len - at);
    if (bytes == 0) {
      if (copy == NULL) copy = memcpy(malloc(text.len), text.ptr, text.len);
      copy[at] = '?';
    }
    at += bytes == 0 ? 1 : bytes;
  }
  return copy == NULL ? text : (till_string_t){copy, text.len};
}

static void free_readable(till_string_t readable, till_string_t text) {
  if (readable.ptr != text.ptr) free(readable.ptr);
}

// Hands an attribute over, or nothing if it has no value.
typedef struct {
  till_attribute_t given, readable;
  till_telemetry_list_attribute_t list;
} handed_t;

static void hand_over(handed_t *handed, till_attribute_t attribute) {
  handed->given = handed->readable = attribute;
  handed->readable.key = readable(attribute.key);
  bool is_text = attribute.value.tag == TILL_ATTRIBUTE_VALUE_TEXT;
  if (is_text) handed->readable.value.val.text = readable(attribute.value.val.text);
  bool is_nothing = is_text && attribute.value.val.text.ptr == NULL;
  handed->list = (till_telemetry_list_attribute_t){&handed->readable, is_nothing ? 0 : 1};
}

static void take_back(handed_t *handed) {
  free_readable(handed->readable.key, handed->given.key);
  if (handed->given.value.tag == TILL_ATTRIBUTE_VALUE_TEXT) {
    free_readable(handed->readable.value.val.text, handed->given.value.val.text);
  }
}

till_span_t till_start_span(till_trace_context_t *parent, const char *name) {
  till_string_t given = till_text(name), text = readable(given);
  till_span_t span;
  till_telemetry_start_span(parent, &text, &span);
  free_readable(text, given);
  return span;
}

void till_end_span(till_span_t *span) {
  till_telemetry_end_span(span);
  till_trace_context_free(span);
}

void till_set(till_span_t *span, till_attribute_t attribute) {
  handed_t handed;
  hand_over(&handed, attribute);
  till_telemetry_annotate(span, &handed.list);
  take_back(&handed);
}

void till_log(till_span_t *span, till_telemetry_level_t level, const char *message, till_attribute_t attribute) {
  till_string_t given = till_text(message), text = readable(given);
  handed_t handed;
  hand_over(&handed, attribute);
  till_telemetry_log(span, level > TILL_TELEMETRY_LEVEL_ERROR ? TILL_TELEMETRY_LEVEL_INFO : level, &text, &handed.list);
  take_back(&handed);
  free_readable(text, given);
}

// Says what is wrong, and is false.
__attribute__((format(printf, 2, 3))) static bool say(till_wrong_t *wrong, const char *format, ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(wrong->text, sizeof wrong->text, format, values);
  va_end(values);
  return false;
}

static bool whole(const char *field, uint64_t value, uint64_t least, till_wrong_t *wrong) {
  return (least <= value && value <= TILL_AMOUNT_MAX) ||
         say(wrong, "%s is %" PRIu64 ", wanted a whole number from %" PRIu64 " to %" PRIu64, field, value, least,
             TILL_AMOUNT_MAX);
}

bool till_amount(const char *field, uint64_t value, till_wrong_t *wrong) {
  return value <= TILL_AMOUNT_MAX ||
         say(wrong, "%s is %" PRIu64 ", wanted a whole number of minor units from 0 to %" PRIu64, field, value,
             TILL_AMOUNT_MAX);
}

bool till_amount_setting(const char *key, uint64_t *amount, bool *is_set, till_wrong_t *wrong) {
  char *text = till_setting(key);
  *amount = 0;
  *is_set = text != NULL;
  if (text == NULL) return true;
  size_t digits = strspn(text, "0123456789");
  bool is_plain = digits > 0 && digits <= 16 && text[digits] == '\0';
  for (size_t i = 0; is_plain && i < digits; i++) *amount = 10 * *amount + (uint64_t)(text[i] - '0');
  bool is_amount = is_plain && *amount <= TILL_AMOUNT_MAX;
  if (!is_amount) say(wrong, "the setting %s is no amount of minor units: %s", key, text);
  free(text);
  return is_amount;
}

bool till_plus(uint64_t one, uint64_t other, uint64_t *sum, till_wrong_t *wrong) {
  if (!till_amount("the amount", one, wrong) || !till_amount("what is added", other, wrong)) return false;
  *sum = one + other;
  return *sum <= TILL_AMOUNT_MAX ||
         say(wrong, "%" PRIu64 " plus %" PRIu64 " is past %" PRIu64, one, other, TILL_AMOUNT_MAX);
}

bool till_minus(uint64_t one, uint64_t other, uint64_t *rest, till_wrong_t *wrong) {
  if (!till_amount("the amount", one, wrong) || !till_amount("what is subtracted", other, wrong)) return false;
  if (other > one) return say(wrong, "%" PRIu64 " minus %" PRIu64 " is below 0", one, other);
  *rest = one - other;
  return true;
}

static bool take_share(uint64_t of, const char *field, uint64_t numerator, uint64_t denominator,
                       till_rounding_t rounding, uint64_t *share, till_wrong_t *wrong) {
  if (!till_amount("the amount", of, wrong) || !whole(field, numerator, 0, wrong) ||
      !whole("the denominator", denominator, 1, wrong)) {
    return false;
  }
  unsigned __int128 parts = (unsigned __int128)of * numerator, down = parts / denominator;
  uint64_t twice = 2 * (uint64_t)(parts % denominator);
  switch (rounding) {
    case TILL_DOWN:
      break;
    case TILL_HALF_UP:
      down += twice >= denominator;
      break;
    case TILL_HALF_EVEN:
      down += twice > denominator || (twice == denominator && down % 2 == 1);
      break;
    case TILL_UP:
      down += twice > 0;
      break;
    default:
      return say(wrong, "the rounding is %d, wanted one of TILL_DOWN, TILL_HALF_UP, TILL_HALF_EVEN, TILL_UP", rounding);
  }
  if (down > TILL_AMOUNT_MAX) return say(wrong, "the share is past %" PRIu64, TILL_AMOUNT_MAX);
  *share = (uint64_t)down;
  return true;
}

bool till_percent_of(uint64_t of, uint64_t percent, till_rounding_t rounding, uint64_t *share, till_wrong_t *wrong) {
  return take_share(of, "the percent", percent, 100, rounding, share, wrong);
}

bool till_ratio_of(uint64_t of, uint64_t numerator, uint64_t denominator, till_rounding_t rounding, uint64_t *share,
                   till_wrong_t *wrong) {
  return take_share(of, "the numerator", numerator, denominator, rounding, share, wrong);
}

bool till_split(uint64_t whole, const uint64_t *weights, size_t count, uint64_t *parts, till_wrong_t *wrong) {
  if (!till_amount("the amount", whole, wrong)) return false;
  if (count == 0 && whole > 0) return say(wrong, "there are no weights to split %" PRIu64 " by", whole);
  uint64_t all = 0;
  for (size_t i = 0; i < count; i++) {
    char field[32];
    snprintf(field, sizeof field, "weights[%zu]", i);
    if (!till_amount(field, weights[i], wrong)) return false;
    all += weights[i];
  }
  bool are_alike = all == 0;
  if (are_alike) all = count;
  uint64_t left = whole;
  uint64_t *cut = calloc(count == 0 ? 1 : count, sizeof *cut);
  for (size_t i = 0; i < count; i++) {
    unsigned __int128 share = (unsigned __int128)whole * (are_alike ? 1 : weights[i]);
    parts[i] = (uint64_t)(share / all);
    cut[i] = (uint64_t)(share % all);
    left -= parts[i];
  }
  // Each unit that is left goes to the first of the most cut that hasn't got one. Fewer are left than were cut.
  for (; left > 0; left--) {
    size_t most = 0;
    for (size_t i = 1; i < count; i++) {
      if (cut[i] > cut[most]) most = i;
    }
    parts[most]++;
    cut[most] = 0;
  }
  free(cut);
  return true;
}
