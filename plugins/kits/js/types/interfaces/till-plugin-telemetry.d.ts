/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/telemetry@0.1.0' {
  /**
   * Starts a span below `parent`, now, and returns its context. The span is of kind internal.
   * 
   * Past 64 in a call no span is recorded. The context returned can be used like any other; what is addressed to
   * it is dropped and counted.
   */
  export function startSpan(parent: TraceContext, name: string): TraceContext;
  /**
   * Sets attributes on a span. Only while it is open; on an ended one nothing happens. On the call's own span keys
   * that begin with `plugin.`, `order.` or `db.` are the host's: a plugin's are dropped and counted.
   */
  export function annotate(span: TraceContext, attributes: Array<Attribute>): void;
  /**
   * Records on a span that something happened, now. Only while it is open; on an ended one nothing happens.
   */
  export function addEvent(span: TraceContext, name: string, attributes: Array<Attribute>): void;
  /**
   * Marks a span as failed, with a message for the operator. It doesn't end the span. For what went wrong, not for
   * a business "no": a rejection is an outcome, not an error.
   */
  export function failSpan(span: TraceContext, message: string): void;
  /**
   * Ends a span that the plugin started, now. It has no effect on the call's own span or on one that has ended.
   */
  export function endSpan(span: TraceContext): void;
  /**
   * Writes one line to the host's log, with the ids of `ctx` and the plugin's name and version. Line breaks and
   * other control characters in it are escaped: it stays one line.
   */
  export function log(ctx: TraceContext, level: Level, message: string, attributes: Array<Attribute>): void;
  export type Attribute = import('till:plugin/types@0.1.0').Attribute;
  export type TraceContext = import('till:plugin/types@0.1.0').TraceContext;
  /**
   * How much a log line matters. The host's log filter decides which are written.
   * # Variants
   * 
   * ## `"debug"`
   * 
   * For whoever develops the plugin.
   * ## `"info"`
   * 
   * A thing worth knowing in normal operation.
   * ## `"warn"`
   * 
   * Something is not as it should be, and the order was served nevertheless.
   * ## `"error"`
   * 
   * Something failed and someone has to act.
   */
  export type Level = 'debug' | 'info' | 'warn' | 'error';
}
