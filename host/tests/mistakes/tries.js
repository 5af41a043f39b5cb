// Makes the mistake that the setting `do` names.
import { deduct, exported, minus, percentOf, receiptOf, subtotal } from "./kits/js/checkout.js";
import { setting } from "./kits/js/till.js";

// What no type is known of, as a plugin without types has everything.
/** @type {any} */
const none = undefined;
/** @type {Record<string, (call: any, order: any) => any>} */
const TRIES = {
  telemetry(call) {
    const loop = {};
    loop.loop = loop;
    const throws = { toString: () => none.text, toJSON: () => none.text };
    call.set({ "cart.total": 2 ** 31, huge: 10n ** 30n, nothing: undefined, none: null, nan: NaN, flag: true });
    call.set({ object: { a: [1] }, loop, throws, symbol: Symbol("s"), surrogate: "\ud800x", text: "t" });
    call.set(undefined);
    call.event(undefined, null);
    call.log("warning", undefined, { none: undefined });
    call.child(5n)[Symbol.dispose]();
  },
  clock: (call, order) => call.set({ exact: Date.now() === order.placedAtMs }),
  exception: (_, order) => order.attributes.find(({ key }) => key === "coupon").value,
  undefined_name: () => none.cal,
  negative: () => ({ total: -5 }),
  text: () => ({ total: "9.00" }),
  fraction: (_, order) => ({ total: subtotal(order) * 0.119 }),
  not_a_number: () => ({ total: NaN }),
  left_out: () => ({ total: undefined }),
  too_large: () => ({ total: 2 ** 53 }),
  bigint: (_, order) => ({ total: BigInt(subtotal(order)) }),
  adjustment: (_, order) => ({ adjustments: [{ effect: "subtract", category: "c", label: "l", amount: (subtotal(order) * 19) / 119 }] }),
  line: () => ({ adjustments: [{ effect: "included", category: "c", label: "l", amount: 1, line: -1 }] }),
  effect: () => ({ adjustments: [{ effect: "discount", category: "c", label: "l", amount: 1 }] }),
  label: () => ({ adjustments: [{ effect: "included", category: "c", label: undefined, amount: 1 }] }),
  minus: (_, order) => void minus(subtotal(order), 5_000),
  percent: (_, order) => void percentOf(subtotal(order), 7.5, "down"),
  rounding: (_, order) => void percentOf(subtotal(order), 7, none),
  quantity: (call, order) => void deduct(call, { ...order, lines: [{ item: "tea", quantity: NaN, unitPrice: 1 }] }),
  bad_total: (_, order) => ({ total: subtotal(order) - 100 }),
  endless_loop: (_, order) => {
    while (order.lines.length > 0);
  },
  span_left_open: (call) => void call.child("price_cart"),
};

export const checkout = {
  checkout: exported((call, order) => {
    const changed = TRIES[setting("do") ?? ""]?.(call, order);
    deduct(call, order);
    return { ...receiptOf(order), ...changed };
  }),
};
