// Hides ways of delivery where they don't go: by country, province and postal code.
//
// | setting | what it is | without it |
// |---|---|---|
// | `options` | the options' handles as customers' requests name them, `post/express`, with commas between | an error |
// | `country` | the country that it is about | any |
// | `provinces` | provinces to which they don't go, with commas between | none |
// | `postcodes` | beginnings of postal codes to which they don't go, with commas between | none |
//
// Where neither provinces nor postal codes are set, they don't go to the country at all. Without an address nothing is hidden.

import { exported, hiding } from "../../kits/js/hooks/delivery-menu.js";
import { shipTo } from "../../kits/js/hooks/facts.js";
import { onlySettings, setting } from "../../kits/js/hooks/till.js";

/** @import { Question } from "../../kits/js/hooks/delivery-menu.js" */

/** @satisfies {typeof import("till:plugin/delivery-menu@0.2.0")} */
export const deliveryMenu = {
  customize: exported((call, question) => {
    onlySettings("options", "country", "provinces", "postcodes");
    setting("options").text();
    const hidden = setting("options").list();
    const address = shipTo();
    return address && isBarred(address) ? question.choices.map((choices) => hiddenOf(choices, hidden)) : [];
  }),
};

/** @param {import("till:plugin/facts@0.2.0").Address} address */
function isBarred({ countryCode, provinceCode, postalCode }) {
  const country = setting("country").ifSet((it) => it.text());
  const provinces = setting("provinces").list();
  const postcodes = setting("postcodes").list().map(compact);
  if (country !== undefined && country !== countryCode) return false;
  if (provinces.length === 0 && postcodes.length === 0) return country !== undefined;
  return (
    provinces.includes(provinceCode ?? "") ||
    postcodes.some((beginning) => compact(postalCode ?? "").startsWith(beginning))
  );
}

/**
 * @param {Question["choices"][0]} choices
 * @param {string[]} hidden
 */
function hiddenOf({ group, options }, hidden) {
  const handles = options.map(({ handle }) => handle).filter((handle) => hidden.includes(handle));
  return { group: group.id, changes: handles.map(hiding) };
}

/**
 * Returns a postal code as it is compared: people write it with and without blanks.
 * @param {string} postalCode
 */
function compact(postalCode) {
  return postalCode.replace(/\s/g, "").toUpperCase();
}
