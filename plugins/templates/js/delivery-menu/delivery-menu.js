// Hides the way of delivery that the setting `hidden` names, such as `post/express`.

import { exported, hiding } from "./kits/js/hooks/delivery-menu.js";
import { setting } from "./kits/js/hooks/till.js";

/** @satisfies {typeof import("till:plugin/delivery-menu@0.2.0")} */
export const deliveryMenu = {
  customize: exported((call, { choices }) => {
    const hidden = setting("hidden").text();
    return choices.map(({ group, options }) => {
      const found = options.map(({ handle }) => handle).filter((handle) => handle === hidden);
      return { group: group.id, changes: found.map(hiding) };
    });
  }),
};
