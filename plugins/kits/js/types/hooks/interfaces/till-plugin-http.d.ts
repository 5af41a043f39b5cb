/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/http@0.2.0' {
  /**
   * Sends a request and returns the answer, whatever its status.
   */
  export function send(ctx: TraceContext, request: Request): Response;
  export type TraceContext = import('till:plugin/types@0.2.0').TraceContext;
  /**
   * # Variants
   * 
   * ## `"get"`
   * 
   * ## `"post"`
   * 
   * ## `"put"`
   * 
   * ## `"delete"`
   */
  export type Method = 'get' | 'post' | 'put' | 'delete';
  export type HeaderValue = HeaderValueText | HeaderValueSecret;
  export interface HeaderValueText {
    tag: 'text',
    val: string,
  }
  /**
   * The name of a secret that the operator granted. The plugin never sees the secret itself.
   */
  export interface HeaderValueSecret {
    tag: 'secret',
    val: string,
  }
  export interface Header {
    name: string,
    value: HeaderValue,
  }
  export interface Request {
    method: Method,
    /**
     * Absolute, `https://rates.example/v1/quotes?to=CA`.
     */
    url: string,
    /**
     * At most 32. The host sets Host, Content-Length, Traceparent and Tracestate, and refuses those and hop-by-hop ones.
     */
    headers: Array<Header>,
    body?: Uint8Array,
    /**
     * How long to wait for the whole answer, at least 1; never longer than the call has left.
     */
    timeoutMs: number,
    /**
     * How long the answer to the same request of this installation may stand in for it, so that a checkout gets what its quote
     * got; 0 where something is done. Only of `get` and `post`, only of a 2xx, at most 10 minutes.
     */
    cacheMs: number,
  }
  export interface ResponseHeader {
    /**
     * In lower case.
     */
    name: string,
    value: string,
  }
  export interface Response {
    status: number,
    /**
     * Those whose values are UTF-8.
     */
    headers: Array<ResponseHeader>,
    body: Uint8Array,
  }
  export type HttpError = HttpErrorNotGranted | HttpErrorNotSent | HttpErrorUnknown | HttpErrorTooLarge;
  /**
   * There is no grant for this place, method or secret, or no more requests are granted. Nothing was sent.
   */
  export interface HttpErrorNotGranted {
    tag: 'not-granted',
    val: string,
  }
  /**
   * Nothing was sent, or nothing of it can have been carried out: no such host, connection refused, TLS.
   */
  export interface HttpErrorNotSent {
    tag: 'not-sent',
    val: string,
  }
  /**
   * It may have been carried out, and the answer is missing: a timeout, a connection that broke.
   */
  export interface HttpErrorUnknown {
    tag: 'unknown',
    val: string,
  }
  /**
   * The answer is larger than granted.
   */
  export interface HttpErrorTooLarge {
    tag: 'too-large',
  }
}
