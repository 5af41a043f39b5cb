// Till's default inventory in JavaScript: whatever is on hand may be taken.
//
// With the setting `faults` on it also has the demo's two faults: large smartphone orders are slow, large laptop orders
// often meet a deadlock.

import { exported, take } from "../kits/js/inventory.js";
import { Conflict, random, settingIsOn, sleep } from "../kits/js/till.js";

/** @satisfies {typeof import("till:plugin/inventory@0.1.0")} */
export const inventory = {
  deduct: exported((call, lines) => {
    if (settingIsOn("faults")) simulateFaults(call, lines);
    return take(call, lines);
  }),
};

// Waits for a large smartphone order, and fails 60 % of the large laptop orders.
function simulateFaults(call, lines) {
  const large = (item, pieces) => lines.some((line) => line.item === item && line.quantity >= pieces);
  if (large("smartphone", 3)) addLatency(call);
  if (large("laptop", 2) && random() < 0.6) throw new Conflict("Database deadlock conflict during write");
}

// Waits 1.0 to 2.5 s, and says so on the call's span.
function addLatency(call) {
  const seconds = 1.0 + 1.5 * random();
  const latency = { "simulation.latency_added": seconds };
  call.set(latency);
  call.log("info", "simulating a slow inventory", latency);
  using waiting = call.child("simulated_latency");
  sleep(seconds);
}
