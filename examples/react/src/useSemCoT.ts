// An engine for as long as a component lives, loaded when it is first wanted.

import { useCallback, useEffect, useRef, useState } from "react";
import { SemCoT, SemCoTError, type Progress } from "semcot";

export interface Engine {
  /** The engine; loads it at the first call. */
  load: () => Promise<SemCoT>;
  /** How far the loading is; null before and after. */
  progress: Progress | null;
}

export function useSemCoT(model: string): Engine {
  const [progress, setProgress] = useState<Progress | null>(null);
  const loading = useRef<{ engine: Promise<SemCoT>; controller: AbortController } | null>(null);

  const load = useCallback(() => {
    if (loading.current) return loading.current.engine;
    const controller = new AbortController();
    const onProgress = (step: Progress) => setProgress(step.phase === "ready" ? null : step);
    const engine = SemCoT.load(model, { signal: controller.signal, onProgress });
    const current = { engine, controller };
    loading.current = current;
    engine.catch(() => {
      setProgress(null);
      // The next call tries again.
      if (loading.current === current) loading.current = null;
    });
    return engine;
  }, [model]);

  useEffect(
    () => () => {
      const current = loading.current;
      loading.current = null;
      current?.controller.abort();
      current?.engine.then((engine) => engine.dispose(), () => {});
    },
    [load],
  );
  return { load, progress };
}

/** What to tell a person; nothing where they have stopped it themselves. */
export function explanation(error: unknown): string {
  if (error instanceof SemCoTError) return error.code === "aborted" ? "Stopped." : error.message;
  throw error;
}
