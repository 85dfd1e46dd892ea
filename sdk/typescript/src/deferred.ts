// A promise that somebody else settles. Rejecting one that nobody listens to is no crash: callers may ignore what they like.

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export const noop = (): void => undefined;

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = noop;
  let reject: (error: unknown) => void = noop;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return {
    promise,
    resolve,
    reject: (error) => {
      promise.catch(noop);
      reject(error);
    },
  };
}

/** A rejected promise that is no crash when nobody looks at it. */
export function rejected<T>(error: unknown): Promise<T> {
  const promise = Promise.reject<T>(error);
  promise.catch(noop);
  return promise;
}
