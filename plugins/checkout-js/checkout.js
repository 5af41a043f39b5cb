// A checkout that prices a cart, in JavaScript: 10 % off what an item's lines cost from 3 pieces on, and the surcharge of
// the setting `surcharge` (minor units) if there is one.

import { deduct, subtotal } from "../kits/js/checkout.js";
import { exported, Other, setting } from "../kits/js/till.js";

const PIECES_FOR_DISCOUNT = 3;
const DISCOUNT_PERCENT = 10;

export const checkout = {
  checkout: exported((call, order) => {
    const receipt = price(call, order);
    deduct(call, order);
    return receipt;
  }),
};

function price(call, order) {
  using span = call.child("price_cart");
  const adjustments = [...discounts(order.lines), ...surcharges()];
  const sum = subtotal(order);
  const total = adjustments.reduce((rest, { effect, amount }) => rest + (effect === "add" ? amount : -amount), sum);
  span.set({ "cart.subtotal": sum, "cart.total": total });
  return { adjustments, total, attributes: [] };
}

function discounts(lines) {
  const items = Map.groupBy(lines.entries(), ([, line]) => line.item);
  return [...items.values()].flatMap(discount);
}

// Takes the item's lines, each with its index.
function discount(lines) {
  const sum = (of) => lines.reduce((total, [, line]) => total + of(line), 0);
  if (sum(({ quantity }) => quantity) < PIECES_FOR_DISCOUNT) return [];
  const cost = sum(({ quantity, unitPrice }) => quantity * unitPrice);
  return [
    {
      effect: "subtract",
      category: "discount",
      label: `${DISCOUNT_PERCENT} % off from ${PIECES_FOR_DISCOUNT} pieces`,
      amount: percentOf(cost, DISCOUNT_PERCENT),
      line: lines.length === 1 ? lines[0][0] : undefined,
    },
  ];
}

// Rounded down. In two steps, for cost * percent may be past 2^53.
function percentOf(cost, percent) {
  return Math.floor(cost / 100) * percent + Math.floor(((cost % 100) * percent) / 100);
}

function surcharges() {
  const text = setting("surcharge");
  if (text === undefined || text === null) return [];
  if (!/^\d{1,15}$/.test(text)) throw new Other(`the setting surcharge is no amount of minor units: ${text}`);
  return [{ effect: "add", category: "surcharge", label: "Surcharge", amount: Number(text), line: undefined }];
}
