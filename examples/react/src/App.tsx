// A question, answered with implicit tokens and with written reasoning, which streams; and what is kept of
// the model for the next visit.

import { useRef, useState, type FormEvent } from "react";
import { SemCoT, type Answer, type Mode } from "semcot";
import { explanation, useSemCoT } from "./useSemCoT";

const EXAMPLE = "Maria has 12 apples. She gives 5 apples to Tom. Then she buys 2 more apples. How many apples does Maria have now?";
const MODES: { mode: Mode; title: string }[] = [
  { mode: "implicit", title: "Without writing its reasoning" },
  { mode: "explicit", title: "With its reasoning written out" },
];

export function App() {
  const { load, progress } = useSemCoT("models/mini/");
  const [question, setQuestion] = useState(EXAMPLE);
  const [written, setWritten] = useState<Partial<Record<Mode, string>>>({});
  const [answers, setAnswers] = useState<Partial<Record<Mode, Answer>>>({});
  const [status, setStatus] = useState("");
  const [running, setRunning] = useState(false);
  const controller = useRef(new AbortController());

  async function ask(event: FormEvent) {
    event.preventDefault();
    controller.current = new AbortController();
    const { signal } = controller.current;
    setWritten({});
    setAnswers({});
    setStatus("");
    setRunning(true);
    try {
      const engine = await load();
      for (const { mode } of MODES) {
        const run = engine.ask(question, { mode, signal });
        for await (const piece of run) {
          if (piece.kind === "text" && !piece.answer) setWritten((old) => ({ ...old, [mode]: (old[mode] ?? "") + piece.text }));
        }
        const answer = await run;
        setAnswers((old) => ({ ...old, [mode]: answer }));
      }
    } catch (error) {
      setStatus(explanation(error));
    } finally {
      setRunning(false);
    }
  }

  return (
    <main>
      <h1>Two ways to an answer</h1>
      <form onSubmit={ask}>
        <label htmlFor="question">A word problem, in English</label>
        <textarea id="question" rows={3} required value={question} onChange={(event) => setQuestion(event.target.value)} />
        <button disabled={running}>Ask</button>
        <button type="button" disabled={!running} onClick={() => controller.current.abort()}>Stop</button>
      </form>
      <p role="status">{progress ? `Loading the model: ${progress.phase}…` : status}</p>
      {MODES.map(({ mode, title }) => (
        <section key={mode} aria-label={title} data-mode={mode}>
          <h2>{title}</h2>
          {written[mode] && <p className="reasoning">{written[mode]}</p>}
          {answers[mode] && (
            <p>
              <strong>{answers[mode].answer || "no answer"}</strong> after {answers[mode].ms.total.toFixed(0)} ms and {answers[mode].tokens} tokens
            </p>
          )}
        </section>
      ))}
      <Kept />
    </main>
  );
}

function Kept() {
  const [text, setText] = useState("");
  const look = async () => {
    const models = await SemCoT.cache.list();
    setText(models.map(({ url, storedBytes }) => `${url}: ${(storedBytes / 1e6).toFixed(1)} MB`).join("\n") || "Nothing is kept.");
  };
  const clear = () => SemCoT.cache.clear().then(look);
  return (
    <details onToggle={look}>
      <summary>Kept for the next visit</summary>
      <pre>{text}</pre>
      <button type="button" onClick={clear}>Remove</button>
    </details>
  );
}
