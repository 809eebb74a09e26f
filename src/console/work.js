// How pages load and do things: what is under way, what went wrong, how long to wait.

import { useCallback, useEffect, useRef, useState } from './vendor/hooks.js';
import { on, Refused, Unreachable } from './api.js';

const idle = { busy: false, error: null, fields: {}, wait: 0, until: 0 };

/** Runs `work`, one at a time, and keeps what went wrong with it. */
export function useWork(work) {
  const [state, set] = useState(idle);
  const busy = useRef(false);
  const run = async (...args) => {
    if (busy.current) return undefined;
    busy.current = true;
    set((now) => ({ ...now, busy: true }));
    try {
      const result = await work(...args);
      set(idle);
      return result;
    } catch (error) {
      const expected = error instanceof Refused || error instanceof Unreachable;
      const wait = error.retryAfter ?? 0;
      const until = wait && Date.now() + wait * 1000;
      const text = expected ? error.message : 'Something went wrong on this page.';
      set({ busy: false, error: text, fields: error.fields ?? {}, wait, until });
      if (!expected) throw error;
      return undefined;
    } finally {
      busy.current = false;
    }
  };
  return { ...state, run, clear: () => set(idle) };
}

/** How many seconds are left until then. */
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

/** Loads when `key` changes and when the server is back; keeps what it had until the new one is there. */
export function useLoad(load, key) {
  const [state, set] = useState({ value: null, error: null, loading: true });
  const [again, repeat] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    set((now) => ({ ...now, loading: true }));
    load(control.signal).then(
      (value) => { if (!control.signal.aborted) set({ value, error: null, loading: false }); },
      (error) => {
        if (error.name === 'AbortError' || control.signal.aborted) return;
        set((now) => ({ ...now, error: error.message, loading: false }));
      },
    );
    return () => control.abort();
  }, [key, again]);
  const reload = useCallback(() => repeat((n) => n + 1), []);
  useEffect(() => on('back', reload), []);
  return { ...state, reload, put: (value) => set({ value, error: null, loading: false }) };
}

/** For an input that people type in: what is in it follows `value` whenever that changes, as on going back. */
export function useFollowing(value) {
  const input = useRef();
  useEffect(() => {
    if (input.current.value !== value) input.current.value = value;
  }, [value]);
  return input;
}
