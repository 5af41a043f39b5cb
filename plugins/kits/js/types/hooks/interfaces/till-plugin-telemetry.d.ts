/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/telemetry@0.2.0' {
  /**
   * Starts a span below `parent`, now, and returns its context.
   */
  export function startSpan(parent: TraceContext, name: string): TraceContext;
  /**
   * Sets attributes on an open span.
   */
  export function annotate(span: TraceContext, attributes: Array<Attribute>): void;
  /**
   * Records on an open span that something happened, now.
   */
  export function addEvent(span: TraceContext, name: string, attributes: Array<Attribute>): void;
  /**
   * Marks a span as failed, with a message for the operator. It doesn't end the span.
   */
  export function failSpan(span: TraceContext, message: string): void;
  /**
   * Ends a span that the plugin started, now.
   */
  export function endSpan(span: TraceContext): void;
  /**
   * Writes one line to the host's log.
   */
  export function log(ctx: TraceContext, level: Level, message: string, attributes: Array<Attribute>): void;
  export type Attribute = import('till:plugin/types@0.2.0').Attribute;
  export type TraceContext = import('till:plugin/types@0.2.0').TraceContext;
  /**
   * How much a log line matters.
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
   * Something is not as it should be, and the request was served nevertheless.
   * ## `"error"`
   * 
   * Something failed and someone has to act.
   */
  export type Level = 'debug' | 'info' | 'warn' | 'error';
}
