//go:build till_0_2

package till

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"till/bindings/till_plugin_settings"
)

// Setting returns the installation's setting of that key, as the shop's operator wrote it.
func Setting(key string) (value string, isSet bool) {
	setting := till_plugin_settings.Get(key)
	return setting.Some(), setting.IsSome()
}

// SettingOr returns the setting of that key, or the other text if the operator has set nothing.
func SettingOr(key, otherwise string) string {
	if value, isSet := Setting(key); isSet {
		return value
	}
	return otherwise
}

// NumberSetting returns the setting of that key as a whole number.
func NumberSetting(key string) (number uint32, isSet bool, err error) {
	text, isSet := Setting(key)
	if !isSet {
		return 0, false, nil
	}
	wanted, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return 0, true, fmt.Errorf("the setting %s is %q, wanted a whole number", key, text)
	}
	return uint32(wanted), true, nil
}

// ListSetting returns the texts between the commas of the setting of that key, trimmed, without empty ones.
func ListSetting(key string) []string {
	items := []string{}
	for part := range strings.SplitSeq(SettingOr(key, ""), ",") {
		if part = strings.TrimSpace(part); part != "" {
			items = append(items, part)
		}
	}
	return items
}

// OnlySettings returns an error if a setting isn't one of these: a misspelt one would be as good as not set.
func OnlySettings(known ...string) error {
	for _, key := range till_plugin_settings.Keys() {
		if !slices.Contains(known, key) {
			return fmt.Errorf("there is no setting %s; there are %s", key, strings.Join(known, ", "))
		}
	}
	return nil
}
