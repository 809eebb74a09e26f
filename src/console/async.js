// Hooks for loading and for actions: what is running, what failed, how long to wait.

import { useCallback, useEffect, useRef, useState } from './vendor/hooks.js';
import { on, ApiError, NetworkError } from './api.js';
import { errors } from './texts.js';

const idle = { busy: false, error: null, status: undefined, fields: {}, wait: 0, until: 0 };

/** Runs `action`, one call at a time, and keeps its error. */
export function useAction(action) {
  const [state, set] = useState(idle);
  const busy = useRef(false);
  const run = async (...args) => {
    if (busy.current) return undefined;
    busy.current = true;
    set((now) => ({ ...now, busy: true }));
    try {
      const result = await action(...args);
      set(idle);
      return result;
    } catch (error) {
      const expected = error instanceof ApiError || error instanceof NetworkError;
      const wait = error.retryAfter ?? 0;
      const until = wait && Date.now() + wait * 1000;
      const text = expected ? error.message : errors.unexpected;
      set({ busy: false, error: text, status: error.status, fields: error.fields ?? {}, wait, until });
      if (!expected) throw error;
      return undefined;
    } finally {
      busy.current = false;
    }
  };
  return { ...state, run, clear: () => set(idle) };
}

/** The seconds left until a time in milliseconds. */
export function useCountdown(until) {
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    if (!until) return undefined;
    tick(Date.now());
    const timer = setInterval(() => tick(Date.now()), 500);
    return () => clearInterval(timer);
  }, [until]);
  return until ? Math.max(0, Math.ceil((until - now) / 1000)) : 0;
}

/** Loads when `key` changes and when the connection is back. Keeps the old value until the new one arrives. */
export function useLoad(load, key) {
  const [state, set] = useState({ value: null, error: null, loading: true });
  const [round, next] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    set((now) => ({ ...now, loading: true }));
    load(control.signal).then(
      (value) => { if (!control.signal.aborted) set({ value, error: null, loading: false }); },
      (error) => {
        if (error.name === 'AbortError' || control.signal.aborted) return;
        set((now) => ({ ...now, error: error.message, status: error.status, loading: false }));
      },
    );
    return () => control.abort();
  }, [key, round]);
  const reload = useCallback(() => next((n) => n + 1), []);
  useEffect(() => on('online', reload), []);
  return { ...state, reload, put: (value) => set({ value, error: null, loading: false }) };
}

/** Returns a ref for a text input. Its content follows `value`, for example when the user goes back. */
export function useFollowing(value) {
  const input = useRef();
  useEffect(() => {
    if (input.current.value !== value) input.current.value = value;
  }, [value]);
  return input;
}
